import type { Warning } from "../api/health.ts";
import { inTurns } from "../library/in-turns.ts";
import { Patience, type Outages } from "../library/patience.ts";
import type { Shapes } from "../library/shapes.ts";
import { leaseAdvice } from "../overview/losses.ts";
import { countOf } from "../overview/spoken.ts";

const restMs = 15_000;
const mostLooked = 500;
const atOnce = 16;
const mostNamed = 5;

interface Loss {
  readonly name: string;
  readonly leases: number;
}

/** Whether workers and consumers lost their leases in the last hour. Looked at four times a minute while somebody asks, and nobody waits for it but the first. */
export class LossWatch {
  readonly #shapes: Shapes;
  readonly #outages: Outages;
  #seen: readonly Warning[] | undefined;
  #lookedAt = -Infinity;
  #looking: Promise<readonly Warning[]> | undefined;

  constructor(shapes: Shapes, outages: Outages) {
    this.#shapes = shapes;
    this.#outages = outages;
  }

  async warnings(): Promise<readonly Warning[]> {
    if (performance.now() - this.#lookedAt > restMs) {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
      this.#looking.catch(() => undefined);
    }
    return this.#seen ?? (await this.#looking?.catch(() => [])) ?? [];
  }

  async #look(): Promise<readonly Warning[]> {
    const patience = new Patience(this.#outages);
    const [queues, streams] = await Promise.all([this.#shapes.queues.list(), this.#shapes.streams.list()]);
    const things = [
      ...queues.map(({ name, thing }) => ({ name: `queue ${name}`, thing })),
      ...streams.map(({ name, thing }) => ({ name: `stream ${name}`, thing })),
    ];
    const found = await inTurns(things.slice(0, mostLooked), atOnce, async ({ name, thing }): Promise<Loss> => {
      const rates = await patience.for<Lost>(() => thing.rates({ minutes: 60 }), "valkey");
      return { name, leases: rates?.total.leasesLost ?? 0 };
    });
    this.#lookedAt = performance.now();
    this.#seen = warningsOf(found.filter(({ leases }) => leases > 0));
    return this.#seen;
  }
}

interface Lost {
  readonly total: { readonly leasesLost: number };
}

function warningsOf(losses: readonly Loss[]): Warning[] {
  if (losses.length === 0) return [];
  const most = losses.toSorted((one, other) => other.leases - one.leases);
  const named = most.slice(0, mostNamed).map(({ name, leases }) => `${leases.toLocaleString("en")} of ${name}`);
  const rest = most.length > mostNamed ? [`others of ${countOf(most.length - mostNamed, "more")}`] : [];
  const leases = losses.reduce((sum, loss) => sum + loss.leases, 0);
  const message = `${countOf(leases, "lease was", "leases were")} lost in the last hour (${[...named, ...rest].join(", ")}): what ran was given to others`;
  return [{ code: "LEASES_LOST", message, advice: leaseAdvice }];
}
