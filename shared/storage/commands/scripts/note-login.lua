-- note-login: a row of the audit log about log-ins of an operator that failed.
--
-- In:  1 network that they came from, 2 how many in this minute, as one process counts them
-- Out: nothing of use

audit('admin_login_failed', '', ARGV[1], tonumber(ARGV[2]))
return 0
