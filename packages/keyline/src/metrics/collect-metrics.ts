import { createRequire } from "node:module";
import { Channel } from "../channel/channel.ts";
import type { Keyline } from "../keyline.ts";
import { KeylineError } from "../runtime/errors.ts";
import { checkOptionNames } from "../runtime/options.ts";
import { seamOf } from "../runtime/probe.ts";
import { countedMetrics } from "./counted.ts";
import { stateMetrics, storeMetrics } from "./state-metrics.ts";
import { StateReader, type MeteredChannel, type MeteredQueue, type MeteredStream } from "./state-reader.ts";
import { ToldMetric } from "./told-metric.ts";

/** What is needed of a registry: those of `prom-client` fit. */
export interface MetricsRegister {
  readonly contentType: string;
  metrics(): Promise<string>;
  registerMetric(metric: { get(): Promise<object>; reset(): void }): void;
  getSingleMetric(name: string): unknown;
}

export interface MetricsOptions {
  /** Where the metrics are registered. Default: the registry that `prom-client` exports. */
  readonly register?: MetricsRegister;
  /** The queues to tell of. Default: all, as `keyline.directory` names them. */
  readonly queues?: readonly MeteredQueue[];
  /** The streams to tell of. Default: all, as `keyline.directory` names them. */
  readonly streams?: readonly MeteredStream[];
  /** The channels to tell of. Default: those that somebody lists (`channel.list()`). */
  readonly channels?: readonly MeteredChannel[];
  /**
   * Whether to tell how queues, groups and Valkey stand, besides what this process does. Default true. One process is enough: a sum over several of them counts each queue once for every
   * process.
   */
  readonly state?: boolean;
}

const optionNames = new Set<string>(["register", "queues", "streams", "channels", "state"] satisfies (keyof MetricsOptions)[]);

/**
 * Tells Prometheus of a Keyline: registers its metrics, and returns the registry. What this process does is counted in any case; how queues and stores stand is asked for when somebody
 * scrapes, once a second at the most. While a store is away `keyline_store_up` is 0, and what does not need it is told all the same.
 *
 * Throws INVALID_OPTION, also where the registry has the metrics of a Keyline already: give each a registry of its own.
 *
 * @example
 * const register = collectMetrics(keyline);
 * createServer(async (_request, response) => {
 *   response.setHeader("content-type", register.contentType).end(await register.metrics());
 * }).listen(9_464, "127.0.0.1");
 */
export function collectMetrics(keyline: Keyline, options: MetricsOptions = {}): MetricsRegister {
  checkOptionNames("collectMetrics", options, optionNames);
  const { register = globalRegister(), queues, streams, channels, state = true } = options;
  const counters = seamOf(keyline)?.counters;
  if (!counters) throw invalid("collectMetrics needs a Keyline of this very package: there may be two copies of it");
  if (typeof state !== "boolean") throw invalid("state must be true or false");
  if (register.getSingleMetric("keyline_store_up"))
    throw invalid("The registry has the metrics of a Keyline already: give each a registry of its own");
  const reader = new StateReader({ keyline, queues, streams, channels, hasState: state });
  const counted = countedMetrics({
    queues: () => among(counters.queues, queues),
    streams: () => among(counters.streams, streams),
    channels: async () => (await reader.read()).channels.map((channel) => [channel.name, Channel.countsOf(channel)] as const),
    patterns: counters.patterns,
  });
  for (const definition of [...storeMetrics(reader), ...(state ? stateMetrics(reader) : []), ...counted]) {
    register.registerMetric(new ToldMetric(definition));
  }
  return register;
}

function among<Counts>(all: ReadonlyMap<string, Counts>, only: readonly { readonly name: string }[] | undefined): [string, Counts][] {
  if (!only) return [...all];
  const names = new Set(only.map(({ name }) => name));
  return [...all].filter(([name]) => names.has(name));
}

/** It is loaded only where nobody gives another one. */
function globalRegister(): MetricsRegister {
  const { register } = createRequire(import.meta.url)("prom-client") as { readonly register: MetricsRegister };
  return register;
}

function invalid(message: string): KeylineError {
  return new KeylineError("INVALID_OPTION", message);
}
