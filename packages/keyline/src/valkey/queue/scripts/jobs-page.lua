-- Reads those jobs of a page that fit. Last part.
--
-- KEYS  1 workers
-- ARGV  1 place (look.lua)  2 from, '' to begin with  3 how many at the most  4 what was taken out when the page before was looked at
--       then names and values of what they are: see look.lua
-- RETURN  { from where the next page goes on or '', what was taken out by now, how many bytes each had on the average,
--         then for each: element, when it is due in ms or '', from where to go on behind it }

local place = ARGV[1]
local members, next_from, from, _, behind = read_page(place, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
local fits = filter_from(5)

local function text_of(from_next)
  return type(from_next) == 'number' and string.format('%.0f', from_next) or from_next
end

local answer, bytes = { text_of(next_from), shifts(), 0 }, 0
for index, member in ipairs(members) do
  bytes = bytes + #member
  local element, due = element_in(member)
  if fits(element) then
    if place == 'scheduled' then due = redis.call('ZSCORE', base .. place, member) end
    answer[#answer + 1] = element
    answer[#answer + 1] = due and due ~= '0' and due or ''
    answer[#answer + 1] = behind and behind[index] or type(from) == 'number' and text_of(from + index) or from
  end
end
if #members > 0 then answer[3] = math.floor(bytes / #members) end
return answer
