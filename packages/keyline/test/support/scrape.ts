import { Registry } from "prom-client";
import type { Keyline } from "keyline";
import { collectMetrics, type MetricsOptions } from "keyline/metrics";

/** What a scrape says, by the metric with its labels as Prometheus writes them. */
export type Scrape = ReadonlyMap<string, number>;

export function parseScrape(text: string): Scrape {
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line): [string, number] => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

/** The metrics of a Keyline, in a registry of their own: what reads one, or all of them. */
export function metricsOf(
  keyline: Keyline,
  options: Omit<MetricsOptions, "register"> = {},
): {
  readonly text: () => Promise<string>;
  readonly read: () => Promise<Scrape>;
  readonly value: (sample: string) => Promise<number | undefined>;
} {
  const register = collectMetrics(keyline, { ...options, register: new Registry() });
  const read = async (): Promise<Scrape> => parseScrape(await register.metrics());
  return { text: () => register.metrics(), read, value: async (sample) => (await read()).get(sample) };
}
