-- forget-stop-order: an order was carried out. One that was given meanwhile stays.
--
-- In:  subject; order
-- Out: nothing of use

if call('HGET', STOP_ORDERS, input.subject) == input.order then
  call('HDEL', STOP_ORDERS, input.subject)
end
return 0
