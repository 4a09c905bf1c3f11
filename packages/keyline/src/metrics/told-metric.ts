/*
 * DESIGN. A registry of prom-client's asks what is registered with it what it has to say, and needs no more of it than its name and that answer. So nothing here is kept twice, and nothing of
 * prom-client is loaded: whoever scrapes has it. It is that of the application, or that of @keyline/gateway, which has its own.
 */
import { durationBoundsMs, type DurationCounts } from "../runtime/counters.ts";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  /** Where it is not the metric's: of the parts of a histogram. */
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

export interface MetricDefinition {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** What comes of those of several processes that prom-client's cluster mode puts together. Default `sum`. */
  readonly aggregator?: "sum" | "max";
  /** All that is known; what is not is left out. */
  read(): readonly Sample[] | Promise<readonly Sample[]>;
}

/** What a registry asks. */
export class ToldMetric {
  /** Registries change it where their format wants another one. */
  name: string;
  readonly help: string;
  readonly type: MetricDefinition["type"];
  readonly aggregator: string;
  readonly #read: MetricDefinition["read"];

  constructor({ name, help, type, aggregator = "sum", read }: MetricDefinition) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.aggregator = aggregator;
    this.#read = read;
  }

  async get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: await this.#read() };
  }

  /** What was counted stays as it is: it is not this metric's. */
  reset(): void {
    // Nothing is kept here.
  }
}

/** What a histogram says of the durations that were counted under these labels. */
export function samplesOf(name: string, labels: Labels, { buckets, sumMs }: DurationCounts): Sample[] {
  let count = 0;
  const upTo = buckets.map((inBucket, index): Sample => {
    count += inBucket;
    const bound = durationBoundsMs[index];
    return { metricName: `${name}_bucket`, labels: { ...labels, le: bound === undefined ? "+Inf" : String(bound / 1_000) }, value: count };
  });
  return [...upTo, { metricName: `${name}_sum`, labels, value: sumMs / 1_000 }, { metricName: `${name}_count`, labels, value: count }];
}
