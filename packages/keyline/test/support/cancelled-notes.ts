import type { Valkey } from "iovalkey";
import type { CancelledData, CancelledNote } from "../queue/isolate/handlers/cancelled.ts";
import { eventually, type Stage } from "./stage.ts";

/** What the handler of `isolate/handlers/cancelled.ts` notes of one job. */
export class CancelledNotes {
  readonly key: string;
  readonly #stage: Stage;

  constructor(stage: Stage, name: string) {
    this.#stage = stage;
    this.key = `${stage.prefix}:notes:${name}`;
  }

  data(what: CancelledData["do"]): CancelledData {
    return { do: what, valkey: this.#stage.valkeyUrl, notes: this.key };
  }

  async all(): Promise<CancelledNote[]> {
    return (await this.#stage.valkey.lrange(this.key, 0, -1)).map((text) => JSON.parse(text) as CancelledNote);
  }

  /** Waits until so many are there that say this, and returns them. */
  async until(what: CancelledNote["what"], count = 1): Promise<CancelledNote[]> {
    let notes: CancelledNote[] = [];
    await eventually(
      `${count} have noted: ${what}`,
      async () => {
        notes = (await this.all()).filter((note) => note.what === what);
        return notes.length >= count;
      },
      60_000,
    );
    return notes;
  }
}

/** Milliseconds. */
export async function serverTime(valkey: Valkey): Promise<number> {
  const [seconds, micros] = await valkey.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}
