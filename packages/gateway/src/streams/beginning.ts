import type { GatewayStream } from "./exposures.ts";
import { parseStreamPlace } from "./place.ts";

const asking = new WeakMap<GatewayStream, Promise<string>>();
// The newest entry may be one that cannot be read.
const fewNewest = 100;

/**
 * Behind which place a client follows. Where it names none that is from now on; that has a name too, so that a client that has received nothing
 * yet can resume. Throws INVALID_ID, and INVALID_OPTION for a key where entries have none.
 */
export async function findBeginning(
  stream: GatewayStream,
  { after, key }: { readonly after: string | number | undefined; readonly key: string | undefined },
): Promise<string> {
  const place = after === undefined ? undefined : parseStreamPlace("after", after);
  if (key !== undefined) await stream.history(key, { limit: 1 });
  return place ?? newestPlaceOf(stream);
}

/** Those who come while it is being asked for share the answer. */
function newestPlaceOf(stream: GatewayStream): Promise<string> {
  let place = asking.get(stream);
  if (!place) {
    place = findNewest(stream).finally(() => asking.delete(stream));
    asking.set(stream, place);
  }
  return place;
}

async function findNewest(stream: GatewayStream): Promise<string> {
  for (const limit of [1, fewNewest]) {
    for await (const { id } of stream.read({ reverse: true, limit })) return id;
  }
  return "-";
}
