import { KeylineError, type Worker } from "keyline";
import type { HistoryWriter, Op } from "../history.ts";
import type { Site, TourData } from "../site.ts";

/** So long a tour waits for its signal. */
const signalMs = 4_000;
const insert = "INSERT INTO tour_effects (msg, part, value) VALUES ($1, $2, $3)";

/** Works on jobs that go in steps: each step has an effect, and remembers its value. */
export function workOnTours({ tours, history, random, settings }: Site): Worker<TourData> {
  return tours.work(
    async (job, { settle, step }) => {
      const { msg, kind } = job.data;
      const { attempt } = job;
      history.write("invoke", { f: "tours.run", msg, attempt, kind });
      const take = async (part: string): Promise<string> => {
        const value = await step(part, async (tx) => {
          const drawn = `${settings.proc}/${random().toString(36).slice(2)}`;
          await tx.query(insert, [msg, part, drawn]);
          return drawn;
        });
        history.write("ok", { f: "tours.step", msg, token: part, note: value });
        return value;
      };
      try {
        await take("out");
        if (kind === "flaky" && attempt === 1) throw new Error("this tour fails");
        if (kind === "sleeps") await job.sleep("night", 200 + random() * 800);
        const signal = kind === "signalled" ? await signalOf(() => job.signalled("go", { timeout: signalMs })) : "";
        const back = await take("back");
        const isOurs = await settle(async (tx) => {
          await tx.query(insert, [msg, "end", back + signal]);
          return back + signal;
        });
        history.write(isOurs ? "ok" : "fail", { f: "tours.run", msg, attempt, kind, note: isOurs ? undefined : "settled before" });
      } catch (error) {
        history.write("fail", { f: "tours.run", msg, attempt, kind, note: nameOf(error) });
        throw error;
      }
    },
    { concurrency: 12 },
  );
}

async function signalOf(wait: () => Promise<unknown>): Promise<string> {
  try {
    return `+${String(await wait())}`;
  } catch (error) {
    if (error instanceof KeylineError && error.code === "TIMEOUT") return "";
    throw error;
  }
}

/** What else is done with a tour that was added: it is cancelled, signalled, waited for, or none of it. */
export class TourGuide {
  readonly #site: Site;
  readonly #signal: AbortSignal;
  readonly #waits = new Set<Promise<boolean>>();

  constructor(site: Site, signal: AbortSignal) {
    this.#site = site;
    this.#signal = signal;
  }

  async follow({ msg, kind }: TourData): Promise<void> {
    const { tours, random, history } = this.#site;
    if (random() < 0.3) {
      const wait = note(history, { f: "tours.wait", msg }, async () => {
        const value = await tours.waitFor<string>(msg, { timeout: 120_000, signal: this.#signal });
        return `value ${value}`;
      });
      this.#waits.add(wait);
      void wait.then(() => this.#waits.delete(wait));
    }
    if (kind === "signalled" && random() < 0.8)
      await this.#do("tours.signal", msg, async () => String(await tours.signal(msg, "go", "go")));
    if (random() < 0.25) await this.#do("tours.cancel", msg, () => tours.cancel(msg));
  }

  /** Those who wait hear of the signal too. */
  async left(): Promise<void> {
    await Promise.all(this.#waits);
  }

  // Whoever does not know what became of a call makes it once more.
  async #do(f: Op["f"], msg: string, work: () => Promise<string>): Promise<void> {
    const { history } = this.#site;
    for (let tries = 0; tries < 3; tries++) if (await note(history, { f, msg }, work)) return;
  }
}

/** Writes down how it ended, and returns whether that is known. Nobody knows what became of a call that threw, unless it says what became of the job. */
async function note(
  history: HistoryWriter,
  op: { readonly f: Op["f"]; readonly msg: string },
  work: () => Promise<string>,
): Promise<boolean> {
  history.write("invoke", op);
  try {
    history.write("ok", { ...op, note: await work() });
    return true;
  } catch (error) {
    const name = nameOf(error);
    const isKnown = name.startsWith("JOB_");
    history.write(isKnown ? "ok" : op.f === "tours.wait" ? "fail" : "info", { ...op, note: name });
    return isKnown;
  }
}

function nameOf(error: unknown): string {
  return error instanceof KeylineError ? error.code : String(error).slice(0, 200);
}
