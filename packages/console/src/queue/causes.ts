import type { AnyQueue } from "../console-options.ts";
import type { Desk } from "../desk.ts";
import { Refusal } from "../http/refusal.ts";
import { patiently } from "../library/patience.ts";
import { hidden } from "../redact/secret-texts.ts";

const patienceMs = 6_000;

/** The cause as the queue knows it: where something in it is hidden, the page has another text than the queue. */
export async function causeOf({ redactor, health }: Pick<Desk, "redactor" | "health">, queue: AnyQueue, shown: string): Promise<string> {
  if (!shown.includes(hidden)) return shown;
  const { causes } = await patiently(health, queue.deadLetterCauses(), patienceMs);
  const found = causes.filter(({ cause }) => redactor.text(cause) === shown);
  const [one] = found;
  if (one && found.length === 1) return one.cause;
  throw new Refusal({ status: 409, code: "UNKNOWN_CAUSE", title: "Which dead letters are meant cannot be told any more: look again" });
}
