import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { collectMetrics } from "keyline/metrics";
import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { metricsOf, parseScrape } from "../support/scrape.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

const docs = join(import.meta.dirname, "../../../../docs");
const read = (file: string): string => readFileSync(join(docs, file), "utf8");

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

let stage: Stage;
let metrics: Metric[];
/** As series are called in expressions, those of the gateway among them. */
let series: Map<string, Metric>;

interface Row extends Omit<Metric, "help"> {
  /** As it stands in the guide. */
  readonly cell: string;
}

function rowsOf(pattern: RegExp): Row[] {
  const rows = read("guides/metrics.md").matchAll(/^\| `(keyline_\w+)`\s*\| (\w+)\s*\| ([^|]*?)\s*\|/gm);
  return [...rows]
    .filter(([, name = ""]) => pattern.test(name))
    .map(([, name = "", type = "", cell = ""]) => ({ name, type, cell, labels: cell.match(/\w+/g) ?? [] }));
}

/** The gateway's own, as the guide has them: a test of the gateway compares those with what it tells. */
const ofGateway = rowsOf(/^keyline_gateway_/);

// Something of everything happens, so that each metric has a sample.
beforeAll(async () => {
  stage = await openStage();
  const keyline = stage.keyline();
  await keyline.migrate();
  const [queue, stream, channel] = [keyline.queue<number>("q"), keyline.stream<number>("s"), keyline.channel<number>("c")];
  const { text } = metricsOf(keyline, { channels: [channel] });
  const ran = Promise.withResolvers<void>();
  const worker = queue.work(() => ran.resolve());
  const consumer = stream.consume("g", () => undefined);
  const listener = channel.subscribe({ buffer: 1, whenFull: "drop-oldest" });
  const byPattern = keyline.channels("*").subscribe({ buffer: 1, whenFull: "drop-oldest" });
  await Promise.all([listener.ready, byPattern.ready]);
  await Promise.all([queue.add(1), stream.append(1), channel.publish(1).then(() => channel.publish(2))]);
  await ran.promise;
  await eventually("a message was dropped", async () => /^keyline_channel_dropped_total\{channel="c"\} 1$/m.test(await text()));
  for (const heard of [listener, byPattern]) for await (const { data } of heard) if (data === 2) break;
  await eventually("all is told", async () => {
    const told = await text();
    return (
      /^keyline_group_lag\{/m.test(told) &&
      /^keyline_queue_jobs\{/m.test(told) &&
      /^keyline_channel_gaps_total\{/m.test(told) &&
      /^keyline_pattern_gaps_total\{/m.test(told)
    );
  });
  metrics = readMetrics(await text());
  const all = [...metrics, ...ofGateway.map((row) => ({ ...row, help: "" }))];
  series = new Map(all.flatMap((metric) => seriesOf(metric).map((name) => [name, metric] as const)));
  await Promise.all([worker.stop(), consumer.stop()]);
});
afterAll(() => stage.close());

function readMetrics(text: string): Metric[] {
  const samples = [...parseScrape(text).keys()];
  return [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(([, name = "", help = "", type = ""]) => {
    const own = samples.filter((sample) => seriesOf({ name, type }).includes(sample.split("{")[0] ?? ""));
    const labels = own.flatMap((sample) => [...sample.matchAll(/[{,](\w+)="/g)].map(([, label = ""]) => label));
    return { name, help, type, labels: [...new Set(labels)].filter((label) => label !== "le") };
  });
}

function seriesOf({ name, type }: Pick<Metric, "name" | "type">): string[] {
  return type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

test("a scrape is written as Prometheus reads it, and every metric has a sample in it", async () => {
  expect(metrics.length).toBeGreaterThan(40);
  for (const { name, help, labels } of metrics) {
    expect(help, name).toMatch(/^[A-Z1].{10,}[^.]$/);
    expect(labels.length > 0 || /^keyline_(relay|valkey|state|pattern|postgres)_/.test(name), `${name} has samples`).toBe(true);
  }
});

test("they can be told in the format of OpenMetrics", async () => {
  const keyline = stage.keyline();
  await keyline.queue<number>("open").add(1);
  const register = new Registry();
  register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  collectMetrics(keyline, { register });
  for (let scrape = 0; scrape < 2; scrape++) {
    const text = await register.metrics();
    expect(text).toContain("# TYPE keyline_queue_added counter\nkeyline_queue_added_total{");
    expect(text).toMatch(/^keyline_queue_run_seconds_bucket\{queue="open",le="\+Inf"\} 0$/m);
    expect(text.endsWith("# EOF\n")).toBe(true);
  }
});

test("prom-client is loaded by nobody but who scrapes", () => {
  const program = `
    const { createRequire } = await import("node:module");
    const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("prom-client"));
    const { Keyline } = await import("keyline");
    const { collectMetrics } = await import("keyline/metrics");
    const before = isLoaded();
    const keyline = new Keyline({ valkey: "valkey://127.0.0.1:1" });
    collectMetrics(keyline);
    console.log(before, isLoaded());
    await keyline.close();`;
  const args = ["--conditions=development", "--input-type=module", "--eval", program];
  expect(execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" })).toBe("false true\n");
});

test("names keep to the conventions of Prometheus", () => {
  for (const { name, type, labels } of metrics) {
    expect(name).toMatch(/^keyline_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith("_total"), `${name} is a ${type}`).toBe(type === "counter");
    // A metric is called neither by its type nor by another unit than the base units.
    expect(name).not.toMatch(/(gauge|counter|histogram|_ms|_milliseconds|_minutes|_kb|_percent|_(count|sum|bucket))$/);
    if (type === "histogram") expect(name).toMatch(/_seconds$/);
    for (const label of labels) expect(["queue", "state", "stream", "group", "channel", "reason", "store"]).toContain(label);
  }
});

describe("the guide", () => {
  test("lists each metric with its type and labels, and no other", () => {
    const listed = rowsOf(/^keyline_(?!gateway_)/).map(({ name, type, cell }) => ({
      name,
      type,
      labels: [...cell.matchAll(/queue|state|stream|group|channel|reason|store/g)].map(String),
    }));
    const byName = (one: { name: string }, other: { name: string }): number => (one.name < other.name ? -1 : 1);
    const told = metrics.map(({ name, type, labels }) => ({ name, type, labels: labels.toSorted() }));
    expect(listed.map((row) => ({ ...row, labels: row.labels.toSorted() })).toSorted(byName)).toEqual(told.toSorted(byName));
  });
});

/** The series that an expression names, each with the labels by which it selects. */
function selectorsOf(expression: string): { readonly name: string; readonly labels: string[] }[] {
  return [...expression.matchAll(/\b(keyline_\w+)(?:\{([^}]*)\})?/g)].map(([, name = "", inside = ""]) => ({
    name,
    labels: [...inside.matchAll(/(\w+)\s*[=!]~?"/g)].map(([, label = ""]) => label),
  }));
}

/** By the parser of Prometheus' own pages. The dashboard's variable stands for a time. */
function isPromQl(expression: string): boolean {
  let isFine = true;
  parser.parse(expression.replaceAll("$__rate_interval", "5m")).iterate({ enter: ({ type }) => void (isFine &&= !type.isError) });
  return isFine;
}

test("what is no PromQL is told from what is", () => {
  expect(isPromQl("sum by (queue) (rate(keyline_queue_added_total[$__rate_interval])) > 0")).toBe(true);
  for (const wrong of ["sum by queue) (x)", "rate(x[5m)", "max(x) > > 0", "x{queue=~orders}", "sum(x", ""])
    expect(isPromQl(wrong), wrong).toBe(false);
});

function expectToExist(expression: string): void {
  const selectors = selectorsOf(expression);
  expect(selectors.length, expression).toBeGreaterThan(0);
  for (const { name, labels } of selectors) {
    const metric = series.get(name);
    expect(metric, `${name} in ${expression}`).toBeDefined();
    for (const label of labels) expect(metric?.labels, `${name} in ${expression}`).toContain(label);
    // Of a counter only its growth says something, of a gauge only where it stands.
    const isGrowth = new RegExp(`\\b(rate|increase)\\(${name}\\b`).test(expression);
    expect(isGrowth, `${name} in ${expression}`).toBe(metric?.type !== "gauge");
  }
  for (const [, list = ""] of expression.matchAll(/\b(?:by|on) \(([^)]*)\)/g)) {
    const known = new Set(["le", ...selectors.flatMap(({ name }) => series.get(name)?.labels ?? [])]);
    for (const label of list.split(", ")) expect([...known], expression).toContain(label);
  }
  expect(isPromQl(expression), expression).toBe(true);
}

describe("alert rules", () => {
  interface Rule {
    readonly alert: string;
    readonly expr: string;
    readonly for?: string;
    readonly labels: { readonly severity: string };
    readonly annotations: { readonly summary: string };
  }
  const { groups } = parse(read("monitoring/alerts.yml")) as {
    readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);

  test("are of metrics that exist", () => {
    expect(rules.length).toBeGreaterThan(10);
    for (const { expr } of rules) expectToExist(expr);
  });

  test("have names of their own, and say what is wrong by labels that they have", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, expr, for: time, labels, annotations } of rules) {
      expect(alert).toMatch(/^Keyline[A-Z]\w+$/);
      expect(labels.severity).toMatch(/^(page|ticket)$/);
      if (time !== undefined) expect(time).toMatch(/^\d+m$/);
      const kept = (/^\w+ by \(([^)]*)\)/.exec(expr)?.[1] ?? "").split(", ");
      for (const [, label = ""] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) expect(kept, alert).toContain(label);
    }
  });

  test("watch what operators want to be told of", () => {
    for (const name of [
      "keyline_queue_oldest_waiting_seconds",
      "keyline_queue_dead_total",
      "keyline_queue_completed_total",
      "keyline_relay_lag_seconds",
      "keyline_store_up",
      "keyline_group_lag",
      "keyline_valkey_evicted_keys_total",
      "keyline_valkey_noeviction",
      "keyline_lease_lost_total",
    ]) {
      expect(
        rules.some(({ expr }) => expr.includes(name)),
        name,
      ).toBe(true);
    }
  });
});

describe("the dashboard", () => {
  interface Panel {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  }
  const dashboard = JSON.parse(read("monitoring/dashboard.json")) as {
    readonly panels: readonly Panel[];
    readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
  };

  test("is of metrics that exist", () => {
    for (const { expr } of dashboard.panels.flatMap(({ targets = [] }) => targets)) expectToExist(expr);
    for (const { name, query } of dashboard.templating.list) {
      if (name === "datasource") continue;
      const [, metric = "", label = ""] = /^label_values\((\w+), (\w+)\)$/.exec(query) ?? [];
      expect(series.get(metric)?.labels, query).toContain(label);
    }
  });

  test("shows every metric, and each panel has a title and a number of its own", () => {
    const shown = new Set(
      dashboard.panels.flatMap(({ targets = [] }) =>
        targets.flatMap(({ expr }) => selectorsOf(expr).map(({ name }) => series.get(name)?.name)),
      ),
    );
    const more = new Set(["keyline_group_retried_total", "keyline_group_overtaken_total", "keyline_queue_failed_total"]);
    expect(ofGateway.length).toBeGreaterThan(5);
    expect([...metrics, ...ofGateway].map(({ name }) => name).filter((name) => !shown.has(name) && !more.has(name))).toEqual([]);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    for (const { title } of dashboard.panels) expect(title).not.toBe("");
  });
});
