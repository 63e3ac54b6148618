-- leave: the connection of a call that waits for a job is closed, and its client was not answered.
--
-- In:  id; waiter: `<API process>.<number>`
-- Out: 'left'

Waits.leave(input.id, input.waiter)
return 'left'
