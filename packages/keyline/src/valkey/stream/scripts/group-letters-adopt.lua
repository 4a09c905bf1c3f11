-- Takes over dead letters from the list in which versions before kept them, the oldest first.
--
-- KEYS  1 dead
-- ARGV  1 how many to look at
-- RETURNS  how many are left; what is no dead letter stays, behind the others

for _ = 1, tonumber(ARGV[1]) do
  local text = redis.call('LINDEX', KEYS[1], -1)
  if not text then break end
  local is_letter, letter = pcall(cjson.decode, text)
  if is_letter and type(letter) == 'table' and type(letter.id) == 'string' then
    write_letter(KEYS[1], letter.id, text)
    redis.call('RPOP', KEYS[1])
  else
    redis.call('LMOVE', KEYS[1], KEYS[1], 'RIGHT', 'LEFT')
  end
end
return redis.call('LLEN', KEYS[1])
