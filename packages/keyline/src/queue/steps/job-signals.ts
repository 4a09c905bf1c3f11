import { nameRefused } from "../../postgres/client/refused-data.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { toJson } from "../../runtime/json.ts";
import { checkId, checkKey } from "../../runtime/names.ts";
import type { ParkedRows } from "../../postgres/job/parked-rows.ts";
import { mostSteps } from "../../postgres/job/step-table.ts";
import { committedRow } from "../add/committed.ts";
import type { JobOutlet } from "../add/job-outlet.ts";
import { mostBytes } from "./steps.ts";

/** Sends signals to the jobs of one transactional queue, and wakes those that wait for them. */
export class JobSignals {
  readonly #rows: ParkedRows;
  readonly #outlet: Pick<JobOutlet, "pushCommitted">;

  constructor(rows: ParkedRows, outlet: Pick<JobOutlet, "pushCommitted">) {
    this.#rows = rows;
    this.#outlet = outlet;
  }

  /** False when there is no such job. */
  async send(id: string, name: string, data: unknown): Promise<boolean> {
    checkId(id);
    checkKey("The name of a signal", name);
    const json = data === undefined ? undefined : toJson(`signal ${JSON.stringify(name)} to job ${id}`, data, mostBytes);
    const sent = await this.#rows.signal(id, name, json).catch((error: unknown) => {
      throw nameRefused(error, `signal ${JSON.stringify(name)} to job ${id}`, { name, data: json });
    });
    if (sent?.isFull) {
      throw new KeylineError("INVALID_STEP", `Job ${id} has ${mostSteps} signals already, and was not sent ${JSON.stringify(name)}`);
    }
    // Where this process dies before it is delivered, the relay delivers it.
    if (sent?.woken) this.#outlet.pushCommitted([committedRow(sent.woken)]);
    return sent !== undefined;
  }
}
