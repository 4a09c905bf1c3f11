import { KeylineError, type TransactionClient } from "keyline";
import pg from "pg";
import { setTimeout as sleep } from "node:timers/promises";
import { connectionTo, deadlyAttempts, eventKeys, type EventData, type JobData, type JobKind, type Site, type TripData } from "../site.ts";
import type { Activity } from "../history.ts";
import { legsOf } from "./trips.ts";
import { TourGuide } from "./tours.ts";

class RolledBack extends Error {}

/** How an operation that threw has ended, as far as its error says. */
type EndOf = (error: unknown) => "fail" | "info";

// The contract of `keyline.transaction`: all errors but this one say that nothing was committed.
const ofTransaction: EndOf = (error) => (codeOf(error) === "OUTCOME_UNKNOWN" ? "info" : "fail");
// Of single statements POSTGRES_UNAVAILABLE leaves it open; what a server refuses for reasons of its own need not be the end of it.
const ofStatement: EndOf = (error) => (error instanceof KeylineError && error.code === "VALKEY_UNAVAILABLE" ? "fail" : "info");

/** Adds, publishes and appends to all shapes, from several threads that each do one thing after the other, until `signal` is aborted. */
export async function produce(site: Site, signal: AbortSignal): Promise<void> {
  const pool = new pg.Pool({ ...connectionTo(site.settings.postgres), max: 4, connectionTimeoutMillis: 5_000 });
  pool.on("error", () => undefined);
  // A client that breaks while it is out of the pool says so itself.
  pool.on("connect", (client) => client.on("error", () => undefined));
  const producer = new Producer(site, pool, signal);
  await Promise.all([
    ...["a", "b", "c"].map((thread) => producer.repeat(thread, "orders.add", (msg) => producer.addOrder(msg))),
    ...["a", "b"].map((thread) => producer.repeat(thread, "tours.add", (msg) => producer.addTour(msg))),
    producer.repeat("a", "trips.add", (msg) => producer.addTrip(msg)),
    ...["a", "b"].map((thread) => producer.repeat(thread, "mails.add", (msg) => producer.addMail(msg))),
    producer.repeat("a", "outings.add", (msg) => producer.addOuting(msg)),
    producer.repeat("a", "news.publish", (msg) => producer.publish(msg)),
    producer.repeat("tx", "news.publish", (msg) => producer.publishWithin(msg)),
    ...["a", "b"].map((thread) => producer.repeat(thread, "events.append", (msg) => producer.appendEvent(msg))),
    producer.repeat("a", "readings.append", (msg) => producer.appendReading(msg)),
  ]);
  await producer.guide.left();
  // A server that went away must not keep this from ending.
  await Promise.race([pool.end(), sleep(1_000)]);
}

class Producer {
  readonly guide: TourGuide;
  readonly #site: Site;
  readonly #pool: pg.Pool;
  readonly #signal: AbortSignal;

  constructor(site: Site, pool: pg.Pool, signal: AbortSignal) {
    this.guide = new TourGuide(site, signal);
    this.#site = site;
    this.#pool = pool;
    this.#signal = signal;
  }

  async repeat(thread: string, f: Activity, work: (msg: string) => Promise<void>): Promise<void> {
    const { settings, random } = this.#site;
    for (let n = 0; !this.#signal.aborted; n++) {
      await work(`${settings.proc}/${f}/${thread}-${n}`);
      await sleep(20 + random() * 80);
    }
  }

  async addOrder(msg: string): Promise<void> {
    const { keyline, orders, random } = this.#site;
    const job = this.#job(msg);
    const options = isDeadly(job.kind) ? { maxAttempts: deadlyAttempts } : {};
    const dice = random();
    if (dice < 0.2) return void (await this.#try("orders.add", job, ofStatement, () => orders.add(job, options)));
    const within = async (tx: TransactionClient): Promise<void> => {
      await tx.query("INSERT INTO orders (msg) VALUES ($1)", [msg]);
      await orders.add(job, { ...options, tx });
      // A commit that comes late, with others before it.
      if (dice > 0.88) await sleep(300 + random() * 1_200);
      if (dice > 0.2 && dice < 0.28) throw new RolledBack("rolled back");
    };
    if (dice < 0.7) return void (await this.#try("orders.add", job, ofTransaction, () => keyline.transaction(within)));
    // Transactions of somebody else's: half of them on clients whose end cannot be seen.
    return this.#tryForeign(job, within, random() < 0.5);
  }

  async addTour(msg: string): Promise<void> {
    const { keyline, tours, random } = this.#site;
    const kind = (["steps", "flaky", "sleeps", "signalled"] as const)[Math.floor(random() * 4)] ?? "steps";
    const tour = { msg: msg.replaceAll("/", ":"), kind };
    const options = { id: tour.msg, ...(random() < 0.2 && { delay: Math.round(random() * 1_000) }) };
    const add = async (): Promise<unknown> =>
      random() < 0.5 ? tours.add(tour, options) : keyline.transaction((tx) => tours.add(tour, { ...options, tx }));
    if (await this.#try("tours.add", tour, ofStatement, add)) await this.guide.follow(tour);
  }

  async addTrip(msg: string): Promise<void> {
    const { keyline, trips, legs, random } = this.#site;
    const trip: TripData = { msg, kind: random() < 0.5 ? "given" : "split", legs: 1 + Math.floor(random() * 4) };
    const options = trip.kind === "given" ? { children: legsOf(legs, trip, random) } : {};
    if (random() < 0.5) return void (await this.#try("trips.add", trip, ofStatement, () => trips.add(trip, options)));
    await this.#try("trips.add", trip, ofTransaction, () =>
      keyline.transaction(async (tx) => {
        await trips.add(trip, { ...options, tx });
        if (random() < 0.1) throw new RolledBack("rolled back");
      }),
    );
  }

  async addMail(msg: string): Promise<void> {
    const { mails, random } = this.#site;
    const job = this.#job(msg);
    const mail: JobData = { ...job, kind: job.kind === "killer" || job.kind === "hog" ? "plain" : job.kind };
    const options = isDeadly(mail.kind) ? { maxAttempts: deadlyAttempts } : {};
    const withId = random() < 0.2 ? { ...options, id: msg.replaceAll("/", ":") } : options;
    await this.#try("mails.add", mail, ofStatement, () => mails.add(mail, withId));
  }

  async addOuting(msg: string): Promise<void> {
    const { outings, stops, random } = this.#site;
    const outing: TripData = { msg, kind: random() < 0.5 ? "given" : "split", legs: 1 + Math.floor(random() * 4) };
    const options = outing.kind === "given" ? { children: legsOf(stops, outing, random) } : {};
    await this.#try("outings.add", outing, ofStatement, () => outings.add(outing, options));
  }

  async publish(msg: string): Promise<void> {
    await this.#try("news.publish", { msg }, ofStatement, () => this.#site.news.publish({ msg }));
  }

  async publishWithin(msg: string): Promise<void> {
    const { keyline, news, random } = this.#site;
    await this.#try("news.publish", { msg, kind: "tx" }, ofTransaction, () =>
      keyline.transaction(async (tx) => {
        await news.publish({ msg }, { tx });
        if (random() < 0.1) throw new RolledBack("rolled back");
      }),
    );
  }

  async appendEvent(msg: string): Promise<void> {
    const { keyline, events, random } = this.#site;
    const event = this.#event(msg);
    if (random() < 0.35) return void (await this.#try("events.append", { msg }, ofStatement, () => events.append(event)));
    await this.#try("events.append", { msg }, ofTransaction, () =>
      keyline.transaction(async (tx) => {
        await events.append(event, { tx });
        if (random() < 0.1) await sleep(random() * 800);
        if (random() < 0.1) throw new RolledBack("rolled back");
      }),
    );
  }

  /** Those with an idempotency key are appended once more when the answer was lost. */
  async appendReading(msg: string): Promise<void> {
    const { readings, random } = this.#site;
    const options = random() < 0.4 ? { idempotencyKey: msg } : {};
    await this.#try("readings.append", { msg }, ofStatement, async () => {
      const append = (): Promise<unknown> => readings.append(this.#event(msg), options);
      await append().catch(async (error: unknown) => {
        if (!("idempotencyKey" in options) || codeOf(error) !== "OUTCOME_UNKNOWN") throw error;
        await sleep(300);
        await append().catch(() => {
          throw error;
        });
      });
    });
  }

  #event(msg: string): EventData {
    return { msg, key: `k${Math.floor(this.#site.random() * eventKeys)}` };
  }

  #job(msg: string): JobData {
    const { random, settings } = this.#site;
    const dice = random();
    const kinds: readonly (readonly [JobKind, number])[] = settings.isCalm
      ? [
          ["slow", 0.08],
          ["flaky", 0.04],
        ]
      : [
          ["slow", 0.12],
          ["flaky", 0.05],
          ["poison", 0.02],
          ["killer", 0.0015],
          ["hog", 0.001],
        ];
    let below = 0;
    const kind = kinds.find(([, share]) => dice < (below += share))?.[0] ?? "plain";
    return { msg, kind, work: kind === "slow" ? Math.round(500 + random() * 2_000) : 0 };
  }

  async #try(f: Activity, { msg, kind }: { msg: string; kind?: string }, endOf: EndOf, work: () => Promise<unknown>): Promise<boolean> {
    const { history } = this.#site;
    history.write("invoke", { f, msg, kind });
    try {
      await work();
      history.write("ok", { f, msg, kind });
      return true;
    } catch (error) {
      history.write(endOf(error), { f, msg, kind, note: `${codeOf(error)} ${String(error)}`.slice(0, 300) });
      if (!(error instanceof RolledBack)) await sleep(100);
      return false;
    }
  }

  /** As an application would with a pool of its own: of its COMMIT it knows what its client tells. */
  async #tryForeign(job: JobData, within: (tx: TransactionClient) => Promise<void>, isUnseen: boolean): Promise<void> {
    const { history } = this.#site;
    const op = { f: "orders.add", msg: job.msg, kind: job.kind } as const;
    history.write("invoke", op);
    let isCommitting = false;
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      const lent = client;
      await lent.query("BEGIN");
      await within(isUnseen ? { query: (text, values) => lent.query(text, values) } : lent);
      isCommitting = true;
      const { command } = await lent.query("COMMIT");
      history.write(command === "COMMIT" ? "ok" : "fail", op);
      client.release();
    } catch (error) {
      history.write(isCommitting ? "info" : "fail", { ...op, note: String(error).slice(0, 300) });
      client?.release(true);
      if (!(error instanceof RolledBack)) await sleep(100);
    }
  }
}

function isDeadly(kind: string | undefined): boolean {
  return kind === "poison" || kind === "killer";
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
