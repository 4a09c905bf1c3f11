// A horizontal bar chart, one group of bars per case. Each group has a scale of its own, since the figures of different
// cases lie three orders of magnitude apart and only bars of one case are to be compared; the numbers stand beside them.
import type { CaseResult } from "../suite/rounds.ts";
import { formatFigure } from "./figures.ts";
import { machineLine, type Machine } from "./machine.ts";

const captions: Readonly<Record<string, string>> = { floor: "floor, no library", blmove: "BLMOVE, no library" };

const width = 860;
const labels = { x: 148 };
const bars = { x: 160, longest: 560, height: 16, pitch: 21 };
const groupGap = 40;
const head = 92;

interface Group {
  readonly title: string;
  readonly rows: readonly { readonly contender: string; readonly value: number; readonly isOwn: boolean }[];
}

/** Draws the first figure of every case that compares Keyline with somebody else. */
export function drawChart(machine: Machine, results: readonly CaseResult[]): string {
  const groups = results.flatMap(groupOf);
  let y = head;
  const body = groups.map((group) => {
    const drawn = drawGroup(group, y);
    y += group.rows.length * bars.pitch + groupGap;
    return drawn;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y - 8}" width="${width}" height="${y - 8}" role="img" aria-labelledby="title summary">
<title id="title">Keyline beside its peers</title>
<desc id="summary">${escape(groups.map(summarize).join(" "))}</desc>
<style>
  svg { color-scheme: light dark; font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-size: 13px; }
  .page { fill: #ffffff; } .ink { fill: #1f2328; } .soft { fill: #59636e; } .own { fill: #0a7d6c; } .peer { fill: #b4bcc6; }
  .big { font-size: 19px; font-weight: 600; } .group { font-weight: 600; } .strong { font-weight: 600; }
  .end { text-anchor: end; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } .ink { fill: #e6edf3; } .soft { fill: #9198a1; } .own { fill: #2cc5ab; } .peer { fill: #4b535d; }
  }
</style>
<rect class="page" width="100%" height="100%" rx="8"/>
<text class="ink big" x="24" y="36">Keyline beside its peers</text>
<text class="soft" x="24" y="58">${escape(machineLine(machine))}</text>
${body.join("\n")}
</svg>
`;
}

function groupOf({ benchCase, contenders }: CaseResult): Group[] {
  const [figure] = Object.keys(benchCase.figures);
  const kind = figure === undefined ? undefined : benchCase.figures[figure];
  if (figure === undefined || !kind || benchCase.contenders.every(isOwn)) return [];
  const rows = contenders.map((result) => ({
    contender: captions[result.contender] ?? result.contender,
    value: result.figures[figure] ?? 0,
    isOwn: isOwn(result.contender),
  }));
  const direction = kind.better === "lower" ? ", less is better" : "";
  return [{ title: `${benchCase.title} (${kind.unit}${direction})`, rows }];
}

function isOwn(contender: string): boolean {
  return contender.startsWith("keyline");
}

function drawGroup({ title, rows }: Group, top: number): string {
  const largest = Math.max(...rows.map((row) => row.value));
  const drawn = rows.map(({ contender, value, isOwn }, index) => {
    const y = top + 12 + index * bars.pitch;
    const length = largest > 0 ? Math.max(2, (value / largest) * bars.longest) : 2;
    const weight = isOwn ? " strong" : "";
    return `<text class="ink end${weight}" x="${labels.x}" y="${y + 12.5}">${escape(contender)}</text>
<rect class="${isOwn ? "own" : "peer"}" x="${bars.x}" y="${y}" width="${length.toFixed(1)}" height="${bars.height}" rx="2"/>
<text class="ink${weight}" x="${(bars.x + length + 8).toFixed(1)}" y="${y + 12.5}">${formatFigure(value)}</text>`;
  });
  return `<text class="ink group" x="24" y="${top}">${escape(title)}</text>\n${drawn.join("\n")}`;
}

/** For readers who hear the picture. */
function summarize({ title, rows }: Group): string {
  return `${title}: ${rows.map((row) => `${row.contender} ${formatFigure(row.value)}`).join(", ")}.`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
