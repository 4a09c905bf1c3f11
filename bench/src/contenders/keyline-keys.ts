import type { Valkey } from "iovalkey";

// In one step: a job that is taken between two of them would be in neither place.
const count = `
local found = 0
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if string.find(key, ':waiting', 1, true) or string.find(key, ':held:', 1, true) then found = found + redis.call('LLEN', key)
  elseif string.match(key, ':scheduled$') then found = found + redis.call('ZCARD', key)
  elseif string.match(key, ':blocked$') then found = found + redis.call('GET', key) end
end
return found`;

/** Jobs of a queue that are waiting (in its lists, or in the line of their group), scheduled or held, by the keys that the wire format promises. */
export async function countJobsInValkey(client: Valkey, queue: string): Promise<number> {
  return Number(await client.eval(count, 1, `kl:{${queue}}:waiting`, `kl:{${queue}}:*`));
}
