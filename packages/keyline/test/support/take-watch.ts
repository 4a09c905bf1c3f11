/*
 * Notes when the jobs of this process were taken: between the moment in which Valkey was asked and that in which it answered. Only takes that look at gates are
 * noted, as all are where there are limits.
 */
import { Valkey } from "iovalkey";
import { moment } from "../faults/places/history.ts";

const states = new Set<unknown>(["open", "closed", "plain"]);

export function watchTakes(note: (line: object) => void): void {
  const send = Valkey.prototype.sendCommand;
  Valkey.prototype.sendCommand = function (this: Valkey, ...args: Parameters<typeof send>) {
    const asked = moment();
    const answer = send.apply(this, args);
    void Promise.resolve(answer).then(
      (reply: unknown) => {
        const answered = moment();
        if (!Array.isArray(reply) || !states.has(reply[1])) return;
        for (const element of reply.slice(5) as string[]) {
          const { id, group } = JSON.parse(element) as { readonly id: string; readonly group?: string };
          note({ what: "taken", id, group, asked, answered });
        }
      },
      () => undefined,
    );
    return answer;
  };
}
