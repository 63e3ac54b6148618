-- note-login: a row of the audit log about log-ins of an operator that failed.
--
-- In:  network: where they came from; count: how many in this minute, as one process counts them
-- Out: nothing of use

Audit.append('admin_login_failed', '', input.network, input.count)
return 0
