-- forget-stop-order: an order was carried out. One that was given meanwhile stays.
--
-- In:  1 subject, 2 the order
-- Out: nothing of use

if call('HGET', STOP_ORDERS, ARGV[1]) == ARGV[2] then
  call('HDEL', STOP_ORDERS, ARGV[1])
end
return 0
