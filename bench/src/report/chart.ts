// Horizontal bars, one group per case, in two columns. Each group has a scale of its own, since the figures of different cases lie
// three orders of magnitude apart and only bars of one case are to be compared; the numbers stand beside them.
import type { Part } from "../suite/case.ts";
import type { CaseResult } from "../suite/rounds.ts";
import { wordGoals } from "../suite/verdict.ts";
import { formatFigure } from "./figures.ts";
import { machineLine, type Machine } from "./machine.ts";

const captions: Readonly<Record<string, string>> = {
  "bare-sse": "bare SSE, no library",
  "bare-sse-history": "bare SSE, no library",
  blmove: "BLMOVE, no library",
  emmett: "Emmett",
  floor: "floor, no library",
  "keyline-follower": "keyline",
  "keyline-follower-transactional": "keyline, transactional",
  "keyline-history": "keyline, history",
  "keyline-iterated": "keyline, iterated",
  "keyline-stream": "keyline",
  "keyline-ungrouped": "keyline, no groups",
  nats: "NATS JetStream",
  "pub-sub": "pub/sub, no library",
  "publish-pipelined": "PUBLISH, no library",
  "socket.io": "Socket.IO",
  xadd: "XADD, no library",
  "xadd-publish": "XADD + PUBLISH",
  xread: "XREAD, no library",
  xreadgroup: "XREADGROUP + XACK",
};

const width = 900;
const margin = 24;
const column = { width: 410, labels: 122, bars: 132, longest: 190 };
const row = { height: 15, pitch: 20 };
/** From the top of a group to its first bar, and from its last bar to the next group. */
const group = { head: 29, gap: 22 };
const part = { top: 106, head: 34 };

interface Group {
  readonly title: string;
  readonly unit: string;
  readonly rows: readonly { readonly contender: string; readonly value: number; readonly isOwn: boolean }[];
}

interface Column {
  readonly x: number;
  bottom: number;
}

/** Draws the first figure of every case that compares Keyline with somebody else. */
export function drawChart(machine: Machine, results: readonly CaseResult[]): string {
  const parts = new Map<Part, Group[]>();
  for (const result of results) {
    const name = result.benchCase.part ?? "Queues";
    parts.set(name, [...(parts.get(name) ?? []), ...groupOf(result)]);
  }
  const drawn = [...parts].filter(([, groups]) => groups.length > 0);
  const columns: Column[] = [margin, width - margin - column.width].map((x) => ({ x, bottom: part.top }));
  const body = drawn.map(([name, groups]) => drawPart(name, groups, shortest(columns)));
  const height = Math.max(...columns.map(({ bottom }) => bottom)) + 4;
  const summary = drawn.map(([name, groups]) => `${name}: ${groups.map(summarize).join(" ")}`).join(" ");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title summary">
<title id="title">Keyline beside its peers</title>
<desc id="summary">${escape(summary)}</desc>
<style>
  svg { color-scheme: light dark; font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-size: 13px; }
  .page { fill: #ffffff; } .ink { fill: #1f2328; } .soft { fill: #59636e; } .own { fill: #0a7d6c; } .peer { fill: #b4bcc6; }
  .rule { stroke: #d1d9e0; } .title { font-size: 19px; font-weight: 600; } .part { font-size: 16px; font-weight: 600; }
  .small { font-size: 12px; } .strong { font-weight: 600; } .end { text-anchor: end; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } .ink { fill: #e6edf3; } .soft { fill: #9198a1; } .own { fill: #2cc5ab; } .peer { fill: #4b535d; }
    .rule { stroke: #3d444d; }
  }
</style>
<rect class="page" width="100%" height="100%" rx="8"/>
<text class="ink title" x="${margin}" y="38">Keyline beside its peers</text>
<text class="soft" x="${margin}" y="60">${escape(machineLine(machine))}</text>
${body.join("\n")}
</svg>
`;
}

function groupOf(result: CaseResult): Group[] {
  const { benchCase, contenders } = result;
  const [figure] = Object.keys(benchCase.figures);
  const kind = figure === undefined ? undefined : benchCase.figures[figure];
  if (figure === undefined || !kind || benchCase.contenders.every(isOwn)) return [];
  const rows = contenders.map(({ contender, figures }) => ({
    contender: captions[contender] ?? contender,
    value: figures[figure] ?? 0,
    isOwn: isOwn(contender),
  }));
  const unit = kind.better === "lower" ? `${kind.unit}, less is better` : kind.unit;
  const goals = wordGoals(result, figure);
  return [{ title: benchCase.title, unit: goals === "" ? unit : `${unit} · goal: ${goals}`, rows }];
}

function isOwn(contender: string): boolean {
  return contender.startsWith("keyline");
}

/** A part stays together, in the column that has more room. */
function shortest(columns: readonly Column[]): Column {
  return columns.reduce((best, next) => (next.bottom < best.bottom ? next : best));
}

function drawPart(name: string, groups: readonly Group[], target: Column): string {
  const { x } = target;
  const head = `<text class="ink part" x="${x}" y="${target.bottom}">${escape(name)}</text>
<line class="rule" x1="${x}" x2="${x + column.width}" y1="${target.bottom + 9.5}" y2="${target.bottom + 9.5}"/>`;
  target.bottom += part.head;
  const drawn = groups.map((next) => {
    const text = drawGroup(next, { x, top: target.bottom });
    target.bottom += group.head + next.rows.length * row.pitch + group.gap;
    return text;
  });
  return [head, ...drawn].join("\n");
}

function drawGroup({ title, unit, rows }: Group, { x, top }: { readonly x: number; readonly top: number }): string {
  const largest = Math.max(...rows.map(({ value }) => value));
  const [labels, bars] = [x + column.labels, x + column.bars];
  const drawn = rows.map(({ contender, value, isOwn: own }, index) => {
    const y = top + group.head + index * row.pitch;
    const length = largest > 0 ? Math.max(2, (value / largest) * column.longest) : 2;
    const weight = own ? " strong" : "";
    return `<text class="ink small end${weight}" x="${labels}" y="${y + 11.5}">${escape(contender)}</text>
<rect class="${own ? "own" : "peer"}" x="${bars}" y="${y}" width="${length.toFixed(1)}" height="${row.height}" rx="2"/>
<text class="ink small${weight}" x="${(bars + length + 7).toFixed(1)}" y="${y + 11.5}">${formatFigure(value)}</text>`;
  });
  return `<text class="ink strong" x="${x}" y="${top}">${escape(title)}</text>
<text class="soft small" x="${x}" y="${top + 17}">${escape(unit)}</text>
${drawn.join("\n")}`;
}

/** For readers who hear the picture. */
function summarize({ title, unit, rows }: Group): string {
  return `${title} (${unit}): ${rows.map(({ contender, value }) => `${contender} ${formatFigure(value)}`).join(", ")}.`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
