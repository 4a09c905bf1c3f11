import { Keyline } from "keyline";
import { payloadsOf, type Payload } from "./payload.ts";
import type { OpenPlainChannel } from "./plain-channel.ts";

/** A stream of which every listener follows on from the beginning. */
export const open: OpenPlainChannel = async ({ valkey, postgres, name, payloadBytes }) => {
  const keyline = new Keyline(postgres === undefined ? { valkey } : { valkey, postgres });
  if (postgres !== undefined) await keyline.migrate();
  const stream = postgres === undefined ? keyline.stream<Payload>(name) : keyline.stream<Payload>(name, { transactional: true });
  const payload = payloadsOf(payloadBytes);
  const ending = new AbortController();
  return {
    publish: (seq) => stream.append(payload(seq)),
    subscribe: async (listeners) => {
      for (const listener of listeners) {
        void (async () => {
          for await (const { data } of stream.follow({ after: "-", signal: ending.signal })) listener(data.seq);
        })();
      }
    },
    close: async () => {
      ending.abort();
      await keyline.close();
    },
  };
};
