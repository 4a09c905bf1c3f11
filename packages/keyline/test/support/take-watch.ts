/*
 * Notes when the jobs of this process were taken: between the moment in which Valkey was asked and that in which it answered. Takes that look at gates are noted, as all are where
 * there are limits; `isEvery` notes those too that look at none.
 */
import { Valkey } from "iovalkey";
import { moment } from "../faults/places/history.ts";

type Sent = Parameters<Valkey["sendCommand"]>[0];

const states = new Set<unknown>(["open", "closed", "plain"]);

/** Notes until the returned function is called. */
export function watchTakes(note: (line: object) => void, { isEvery = false }: { readonly isEvery?: boolean } = {}): () => void {
  const send = Valkey.prototype.sendCommand;
  Valkey.prototype.sendCommand = function (this: Valkey, ...args: Parameters<typeof send>) {
    const asked = moment();
    const answer = send.apply(this, args);
    void Promise.resolve(answer).then(
      (reply: unknown) => {
        const answered = moment();
        for (const element of takenGated(reply) ?? (isEvery ? takenPlain(args[0], reply) : [])) {
          const { id, group } = JSON.parse(element) as { readonly id: string; readonly group?: string };
          note({ what: "taken", id, group, asked, answered });
        }
      },
      () => undefined,
    );
    return answer;
  };
  return () => {
    Valkey.prototype.sendCommand = send;
  };
}

function takenGated(reply: unknown): string[] | undefined {
  return Array.isArray(reply) && states.has(reply[1]) ? (reply.slice(5) as string[]) : undefined;
}

/** By waiting for a job, or by a script that settles: its elements come behind the numbers that are missing, if any. */
function takenPlain({ name, args }: Sent, reply: unknown): string[] {
  if (name === "blmove" && typeof reply === "string" && String(args[0]) !== String(args[1])) return [reply];
  if (!name.startsWith("eval") || !Array.isArray(reply)) return [];
  const elements: unknown[] = Array.isArray(reply[0]) ? reply.slice(1) : reply;
  return elements.every(isElement) ? elements : [];
}

function isElement(value: unknown): value is string {
  return typeof value === "string" && /^\{"(?:id|attempts)":/.test(value);
}
