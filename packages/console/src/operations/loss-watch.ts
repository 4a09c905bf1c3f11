import type { Warning } from "../api/health.ts";
import { inTurns } from "../library/in-turns.ts";
import { Patience, type Outages } from "../library/patience.ts";
import type { Shapes } from "../library/shapes.ts";
import { problemTexts } from "../overview/problem-texts.ts";

const restMs = 15_000;
const mostLooked = 500;
const atOnce = 16;
const mostNamed = 5;

interface Loss {
  readonly kind: "queue" | "stream";
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
      ...queues.map(({ name, thing }) => ({ kind: "queue" as const, name, thing })),
      ...streams.map(({ name, thing }) => ({ kind: "stream" as const, name, thing })),
    ];
    const found = await inTurns(things.slice(0, mostLooked), atOnce, async ({ kind, name, thing }): Promise<Loss> => {
      const rates = await patience.for<Lost>(() => thing.rates({ minutes: 60 }), "valkey");
      return { kind, name, leases: rates?.total.leasesLost ?? 0 };
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
  const named = most.slice(0, mostNamed).map(({ kind, name, leases }) => problemTexts.leasesOf(leases, kind, name));
  const rest = most.length > mostNamed ? [problemTexts.leasesOfOthers(most.length - mostNamed)] : [];
  const leases = losses.reduce((sum, loss) => sum + loss.leases, 0);
  const { text, action } = problemTexts.leasesLostOf(leases, [...named, ...rest]);
  return [{ code: "LEASES_LOST", message: text, advice: action }];
}
