import { isDeepStrictEqual } from "node:util";
import { judgeCrowds } from "./crowds.ts";
import { isDiscarded, isRedriven, judgeLetters } from "./judge-letters.ts";
import type { Effect, Evidence, Line, Lived, Told } from "./life.ts";
import { farAway } from "./operations.ts";
import { traits } from "./scripts.ts";

/** What must not be, in words; nothing when all is well. */
export function judge({ jobs, effects, lines, left, crowds }: Evidence, transactional: boolean): string[] {
  const effectsOf = Map.groupBy(effects, ({ n }) => n);
  const linesOf = Map.groupBy(lines, ({ n }) => n as number);
  const at = (n: number): Lived | undefined => jobs[n];
  const cancelled = jobs.filter((job) => job.cancels.length > 0 || job.isCancelledWithOthers).map(({ n }) => `j${n}`);
  return [
    ...left.map((what) => `${what} is left`),
    ...judgeCrowds(crowds, new Set(cancelled)),
    ...jobs.flatMap((job) => {
      const own = { job, effects: effectsOf.get(job.n) ?? [], lines: linesOf.get(job.n) ?? [] };
      const found = [
        ...judgeEnd(job, at),
        ...judgeCancels(own, transactional),
        ...judgeChanges(own),
        ...judgeLetters(job, own.lines),
        ...(transactional ? judgeEffects(own, at) : judgeValue(job)),
      ];
      const cancels = job.cancels.map(({ was }) => was).join(" ");
      return found.map((what) => `${job.script} ${job.n}: ${what}${cancels === "" ? "" : `; cancels: ${cancels}`}`);
    }),
  ];
}

type At = (n: number) => Lived | undefined;

interface Own {
  readonly job: Lived;
  readonly effects: readonly Effect[];
  readonly lines: readonly Line[];
}

/** Servers count whole milliseconds. */
const clockSlackMs = 5;

const codeOf = (told: Told): string => ("code" in told ? told.code : "completed");
const isCancelled = ({ end }: Lived): boolean => codeOf(end) === "JOB_CANCELLED";

/** It came to an end that it may have, and everybody who waited was told the same. */
function judgeEnd(job: Lived, at: At): string[] {
  const { script, end, waits, cancels, isCancelledWithOthers } = job;
  const isMortal = traits[script].isMortal;
  const found = waits
    .filter((told) => !isDeepStrictEqual(told, end) && !(isMortal && mayHaveBeen(told, job)))
    .map((told) => `who waited was told ${JSON.stringify(told)}, and it is ${JSON.stringify(end)}`);
  const isDead = traits[script].isDeadly || (job.onChildDead === "die" && childrenOf(job, at).includes("dead"));
  const rightful = isDead ? ["JOB_DEAD"] : ["completed", ...(isMortal ? ["JOB_DEAD"] : []), ...(isDiscarded(job) ? ["JOB_UNKNOWN"] : [])];
  if (!isCancelled(job) && !rightful.includes(codeOf(end))) found.push(`it ended as ${JSON.stringify(end)}`);
  if (isCancelled(job) && cancels.length === 0 && !isCancelledWithOthers && !isBelowCancelled(job, at))
    found.push("nobody has cancelled it");
  return found;
}

/** What a mortal job was before its letter was put back or removed. */
function mayHaveBeen(told: Told, job: Lived): boolean {
  return codeOf(told) === "JOB_DEAD" && (isRedriven(job) || isDiscarded(job));
}

/** What children came to, as their parent is told. */
function childrenOf({ children }: Lived, at: At): string[] {
  const words: Readonly<Record<string, string>> = { JOB_DEAD: "dead", JOB_CANCELLED: "cancelled" };
  return children.map((n) => {
    const code = codeOf(at(n)?.end ?? { code: "" });
    return words[code] ?? code;
  });
}

/** A parent takes with it what does not run below it. */
function isBelowCancelled({ parent }: Lived, at: At): boolean {
  const above = parent === undefined ? undefined : at(parent);
  return above !== undefined && (isCancelled(above) || isBelowCancelled(above, at));
}

/** Each cancel was told the truth; what it took out has not begun afterwards. */
function judgeCancels({ job, lines }: Own, transactional: boolean): string[] {
  return job.cancels.flatMap(({ was, at, isAgain }) => {
    const end = codeOf(job.end);
    if (was === "dead")
      return end === "JOB_DEAD" || isRedriven(job) || isDiscarded(job) ? [] : [`a cancel found it dead, and it is ${end}`];
    if (was === "unknown") {
      // Whoever comes second may find nothing.
      if (isDiscarded(job)) return [];
      const isOther = isAgain || job.isCancelledWithOthers || job.cancels.length > 1 || job.parent !== undefined;
      return end === "completed" || (end === "JOB_CANCELLED" && isOther) ? [] : [`a cancel found nothing, and it is ${end}`];
    }
    const isFinal = transactional || was !== "running";
    const found = isFinal && end !== "JOB_CANCELLED" ? [`a cancel found it ${was}, and it is ${end}`] : [];
    const late = was === "running" ? [] : lines.filter((line) => line["what"] === "began" && Number(line["at"]) > at);
    return [...found, ...late.map(() => `it was cancelled when it was ${was}, and began afterwards`)];
  });
}

/** Whoever begins the job behind a change has it as it was changed; what was told to be left as it was has been, and nothing begins before its time. */
function judgeChanges({ job: { changes, delay }, lines }: Own): string[] {
  const runs = lines.filter(({ what }) => what === "began").map(({ version, at }) => ({ version: Number(version), at: Number(at) }));
  const first = changes.find((change) => change.delay !== undefined)?.called ?? Number.POSITIVE_INFINITY;
  const found = delay === farAway && runs.some(({ at }) => at < first) ? ["it began before anybody had said that it is due"] : [];
  changes.forEach(({ version = 0, delay: rest, isTold, called, at, isAgain }, index) => {
    if (!isTold && !isAgain && version > 0 && runs.some((run) => run.version === version))
      found.push(`an update was told that nothing was changed, and a run had its data, ${version}`);
    if (!isTold) return;
    for (const run of runs)
      if (run.at > at && run.version < version) found.push(`it was updated to ${version}, and began afterwards with ${run.version}`);
    const next = changes.slice(index + 1).find((change) => change.delay !== undefined)?.called ?? Number.POSITIVE_INFINITY;
    const isEarly = runs.some((run) => run.at > at && run.at < Math.min(called + (rest ?? 0), next) - clockSlackMs);
    if (isEarly) found.push(`its time was put off by ${rest} ms, and it began before that`);
  });
  return found;
}

/** Of a plain queue: the result is the handler's. */
function judgeValue({ n, end }: Lived): string[] {
  if (!("value" in end) || isDeepStrictEqual(end.value, { n, value: n })) return [];
  return [`its result is ${JSON.stringify(end.value)}`];
}

/** The effects of each step are there once, and every run was given their value; the last ones are there if it has completed, and the handler was told so. */
function judgeEffects({ job, effects, lines }: Own, at: At): string[] {
  const { n, script, end } = job;
  const found: string[] = [];
  const parts = Map.groupBy(effects, ({ part }) => part);
  for (const [part, rows] of parts) if (rows.length > 1) found.push(`${rows.length} effects of ${part}`);
  for (const { what, name, value } of lines as readonly { what: string; name: string; value: unknown }[]) {
    const effect = what === "step" ? parts.get(name)?.[0] : undefined;
    if (what === "step" && effect?.value !== value)
      found.push(`a run was given ${String(value)} for ${name}, and the effect says ${String(effect?.value)}`);
  }
  const isEnded = parts.has("end");
  if (isEnded !== "value" in end) found.push(`its effects are ${isEnded ? "" : "not "}there, and it is ${codeOf(end)}`);
  for (const { what, was } of lines) {
    if (what !== "settled") continue;
    if (was === true && !isEnded) found.push("a settle was told that it was the one, and its effects are not there");
    if (was === "JOB_CANCELLED" && !isCancelled(job)) found.push(`a settle was told that it is cancelled, and it is ${codeOf(end)}`);
  }
  if (lines.filter(({ what, was }) => what === "settled" && was === true).length > 1)
    found.push("two settles were told that they were the one");
  if (!("value" in end)) return found;
  const steps = [...parts.keys()].filter((part) => part !== "end").length;
  if (steps !== traits[script].steps) found.push(`${steps} steps, not ${traits[script].steps}`);
  const sum = effects.reduce((total, { part, value }) => (part === "end" ? total : total + Number(value)), 0);
  const value = traits[script].isParent ? childrenOf(job, at).join(" ") : traits[script].isSignalled ? `go ${n}` : steps > 0 ? sum : n;
  if (!isDeepStrictEqual(parts.get("end")?.[0]?.value, value))
    found.push(`its last effect has ${JSON.stringify(parts.get("end")?.[0]?.value)}`);
  if (!isDeepStrictEqual(end.value, { n, value })) found.push(`its result is ${JSON.stringify(end.value)}`);
  if (traits[script].isSignalled && job.signals.length > 0 && !job.signals.includes(true))
    found.push("it got a signal that nobody has sent");
  return found;
}
