-- Schema: the version of what is stored here. A release reads what every version holds that it
-- knows, and writes a form
-- that the release before cannot read only from that form's version on.

local Schema = {}

-- From here on each job and line can say what it needs of a worker, and every worker heeds it.
Schema.NEEDS_OF_REQUESTS = 3

function Schema.is_at_least(version)
  schema = schema or number(call('GET', SCHEMA), 1)
  return schema >= version
end

return Schema
