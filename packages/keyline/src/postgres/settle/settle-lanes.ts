/*
 * DESIGN. Settles of one process share transactions when they come faster than PostgreSQL commits, because beginning and
 * committing costs more than most effects do.
 *
 * - While all lanes are busy settles wait, and a lane that becomes free takes those that wait, one after the other, into one
 *   transaction: batching without waiting. A lane is busy until it sends COMMIT: the next group writes while the one before
 *   becomes durable.
 * - There is one lane for every `laneMs` that effects have taken lately: at least `leastLanes`, as one waits for its answer while the
 *   other is written, and as many as `maxLanes` for slow ones, which then run side by side. A settle that has waited for
 *   `patienceMs` gets one more for itself. A group is as large as lately fitted into `groupMs`, so slow effects run alone.
 * - A lane does not set out with less than half of what others carry on the average: jobs that were taken together end together, and the
 *   last of them would find the lanes gone with the first.
 * - In a shared transaction what each settle ends is claimed right before its own effects are written: whatever a function does
 *   to the transaction, no job is settled whose effects were not written. What has not begun after `groupMs` waits again.
 *   Steps only keep their jobs to themselves, which can be done for all of the group at once, where no two are of one job; what they came to is written at the end, and only in the transaction that claimed them.
 * - Sharing is a bet: when anything fails, all of it is rolled back, and each settle is made again alone, as `settleRows` does. So
 *   the effects of one job that fail take no neighbour down, and every error reaches the one who caused it.
 */
import { clearTimeout, performance, setImmediate, setTimeout } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import { isConflict } from "../client/failures.ts";
import { settleInPacket, type PacketEnd } from "./settle-packet.ts";
import { isFirst, settleRows, type Claims, type HeldRow, type Settlement, type WholeClaims } from "./settlement.ts";
import { settleInTurn } from "./shared-transaction.ts";

interface Request<Row extends HeldRow> extends Settlement<Row> {
  readonly resolve: (settled: ReadonlySet<string>) => void;
  readonly reject: (error: Error) => void;
}

const laneMs = 2;
const leastLanes = 2;
const maxLanes = 10;
const patienceMs = 20;
const largestGroup = 50;
const largestGroupRows = 1_000;
const groupMs = 20;

export class SettleLanes<Row extends HeldRow = HeldRow> {
  readonly #claims: Claims<Row>;
  #waiting: Request<Row>[] = [];
  /** Groups whose effects are being written, and how many settles they began with. */
  #lanes = 0;
  #carried = 0;
  #isOpening = false;
  /** Connections are not known to send one statement at a time. */
  #mayPack = true;
  #timer: NodeJS.Timeout | undefined;
  /** How long the effects of one settle have taken lately: a moving average. */
  #usualMs = 1;

  constructor(claims: Claims<Row>) {
    this.#claims = claims;
  }

  /** Ends the jobs together with their effects. Returns the ids of those that this call ended; the others were settled before. */
  settle({ rows, effects, signal, statements }: Settlement<Row>): Promise<ReadonlySet<string>> {
    const timedEffects: Settlement["effects"] = async (tx, owed) => {
      const begun = performance.now();
      await effects(tx, owed);
      this.#noteDuration(performance.now() - begun);
    };
    return new Promise((resolve, reject) => {
      this.#waiting.push({ rows, effects: timedEffects, signal, statements, resolve, reject });
      this.#openLanesSoon();
    });
  }

  // Jobs that were taken together settle in the same turn of the event loop: the first must not go without the others.
  #openLanesSoon(): void {
    if (this.#isOpening) return;
    this.#isOpening = true;
    setImmediate(() => {
      this.#isOpening = false;
      while (this.#maySetOut()) void this.#runLane();
      if (this.#waiting.length > 0) this.#openLaneLater();
    });
  }

  #maySetOut(): boolean {
    const { length } = this.#waiting;
    return length > 0 && this.#lanes < this.#mostLanes() && length * 2 * this.#lanes >= this.#carried;
  }

  #mostLanes(): number {
    return Math.max(leastLanes, Math.min(Math.ceil(this.#usualMs / laneMs), maxLanes));
  }

  #openLaneLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const request = this.#waiting.shift();
      if (request) void this.#settleAlone(request, { mayGuess: true });
      if (this.#waiting.length > 0) this.#openLaneLater();
    }, patienceMs);
  }

  async #runLane(): Promise<void> {
    const group = this.#waiting.splice(0, this.#fitting());
    const { length } = group;
    const [first] = group;
    let isBusy = true;
    const leave = (): void => {
      if (!isBusy) return;
      isBusy = false;
      this.#lanes--;
      this.#carried -= length;
      if (this.#waiting.length > 0) this.#openLanesSoon();
    };
    this.#lanes++;
    this.#carried += length;
    const { whole } = this.#claims;
    if (first?.statements && whole && this.#mayPack) await this.#settleInPacket(group, whole, leave);
    else if (length === 1 && first) await this.#settleAlone(first, { mayGuess: true, leave });
    else await this.#settleTogether(group, leave);
    leave();
  }

  /** How many of those that wait share the next transaction. */
  #fitting(): number {
    const isPacket = this.#waiting[0]?.statements !== undefined;
    const share = Math.ceil(this.#waiting.length / (this.#mostLanes() - this.#lanes));
    const most = Math.min(share, Math.floor(groupMs / this.#usualMs), largestGroup);
    let rows = 0;
    const end = this.#waiting.findIndex(
      (request) => (rows += request.rows.length) > largestGroupRows || (request.statements !== undefined) !== isPacket,
    );
    return Math.max(1, end < 0 ? most : Math.min(most, end));
  }

  async #settleAlone(request: Request<Row>, { mayGuess, leave }: { readonly mayGuess: boolean; leave?: () => void }): Promise<void> {
    const effects: Settlement["effects"] = async (tx, owed) => {
      await request.effects(tx, owed);
      leave?.();
    };
    try {
      request.resolve(await settleRows(this.#claims, { ...request, effects }, { mayGuess }));
    } catch (error) {
      request.reject(toError(error));
    }
  }

  /** Settles whose effects are statements. */
  async #settleInPacket(group: readonly Request<Row>[], whole: WholeClaims<Row>, leave: () => void): Promise<void> {
    const begun = performance.now();
    const end = await this.#sendPacket(group, whole);
    if (end === "unsent") {
      this.#mayPack = false;
      return this.#settleTogether([...group], leave);
    }
    if (end !== "committed") {
      await Promise.all(group.map((request) => this.#settleAgain(request, end === "unknown" ? whole : undefined)));
      return;
    }
    this.#noteDuration((performance.now() - begun) / group.length);
    for (const { rows, resolve } of group) resolve(new Set(rows.map(({ id }) => id)));
  }

  async #sendPacket(group: readonly Request<Row>[], whole: WholeClaims<Row>): Promise<PacketEnd> {
    const { database, counts } = this.#claims;
    const rows = group.flatMap((request) => request.rows);
    // What was delivered before may be settled, and would take its neighbours down.
    if (!database.isAvailable || !rows.every(isFirst) || group.some(({ signal }) => signal?.aborted)) return "failed";
    const statements = group.flatMap((request) => request.statements ?? []);
    try {
      return await settleInPacket(database, { claim: (client) => whole.claim(client, rows), statements, counts });
    } catch {
      // There is no connection: whoever is alone waits for one.
      return "failed";
    }
  }

  /** Alone. With `whole` it may have been settled by a packet of which nothing was heard. */
  async #settleAgain(request: Request<Row>, whole: WholeClaims<Row> | undefined): Promise<void> {
    try {
      const settled = await settleRows(this.#claims, request, { mayGuess: false });
      const missing = request.rows.map(({ id }) => id).filter((id) => !settled.has(id));
      const before = whole && missing.length > 0 ? await whole.findEnded(missing) : [];
      request.resolve(new Set([...settled, ...before]));
    } catch (error) {
      request.reject(toError(error));
    }
  }

  async #settleTogether(group: Request<Row>[], leave: () => void): Promise<void> {
    const begun = new Map<Request<Row>, ReadonlySet<string>>();
    // One that takes long does not hold those behind it.
    const patience = setTimeout(() => {
      this.#waiting.unshift(...group.splice(0));
      if (this.#waiting.length > 0) this.#openLaneLater();
    }, groupMs);
    try {
      await settleInTurn(this.#claims, group, { begun, written: leave });
      for (const [request, settled] of begun) request.resolve(settled);
    } catch (error) {
      if (isConflict(error)) this.#claims.counts.settleConflicts++;
      await Promise.all([...begun.keys(), ...group.splice(0)].map((request) => this.#settleAlone(request, { mayGuess: false })));
    } finally {
      clearTimeout(patience);
    }
  }

  #noteDuration(ms: number): void {
    this.#usualMs += (ms - this.#usualMs) * 0.1;
  }
}
