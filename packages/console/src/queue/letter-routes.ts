import type { DeadLetter } from "keyline";
import { lettersQuery, type CausesView, type LetterRow, type LettersPage } from "../api/letter.ts";
import type { Desk } from "../desk.ts";
import { parse } from "../http/json-body.ts";
import type { Ask, Route } from "../http/router.ts";
import { readSome, roughSize } from "../library/pages.ts";
import { patiently } from "../library/patience.ts";
import { toAttempts } from "./attempts.ts";
import { causeOf } from "./causes.ts";
import { behind, placeOf, readPlace } from "./letter-place.ts";

const patienceMs = 6_000;

/** Dead letters, as they are looked at. */
export function letterRoutes(desk: Desk): Route[] {
  return [
    { method: "GET", path: "queues/:queue/letters", answer: (ask) => readLetters(desk, ask) },
    { method: "GET", path: "queues/:queue/causes", answer: (ask) => readCauses(desk, ask) },
  ];
}

async function readLetters(desk: Desk, { param, query }: Ask): Promise<LettersPage> {
  const { cause, error, group, before, after, cursor, limit } = parse(lettersQuery, query);
  const { thing: queue } = await desk.shapes.queues.find(param("queue"));
  const place = cursor === undefined ? undefined : readPlace(cursor);
  // A place that is reached from an end: the earlier of the two ends counts.
  const end = Math.min(before ?? Infinity, place ? place.at + 1 : Infinity);
  const letters = queue.deadLetters({
    ...(cause !== undefined && { cause: await causeOf(desk, queue, cause) }),
    ...(error !== undefined && { error }),
    ...(group !== undefined && { group }),
    ...(end !== Infinity && { before: end }),
    ...(after !== undefined && { after }),
    limit: limit + 1 + (place?.ids.length ?? 0),
  });
  const { rows, hasMore } = await readSome(desk.health, behind(letters, place), { limit, sizeOf: ({ data }) => roughSize(data) });
  return { letters: rows.map((letter) => toLetterRow(desk, letter)), next: hasMore ? placeOf(rows, place) : null };
}

function toLetterRow({ redactor, payloads }: Desk, { id, reason, stack, attempts, at, group, history, data }: DeadLetter): LetterRow {
  return {
    id,
    reason: redactor.text(reason),
    stack: stack === undefined ? null : redactor.text(stack),
    attempts,
    at,
    group: group ?? null,
    // Those of all attempts of a page would be a mebibyte: the job's own view has them.
    history: toAttempts(redactor, history, { hasStacks: false }),
    payload: payloads.inList(data),
  };
}

async function readCauses({ shapes, redactor, health }: Desk, { param }: Ask): Promise<CausesView> {
  const { thing: queue } = await shapes.queues.find(param("queue"));
  const { causes, looked, total } = await patiently(health, queue.deadLetterCauses(), patienceMs);
  const rows = causes.map(({ cause, example, count, firstAt, lastAt }) => ({
    cause: redactor.text(cause),
    example: redactor.text(example),
    count,
    firstAt,
    lastAt,
  }));
  return { causes: rows.toSorted((one, other) => other.count - one.count), looked, total };
}
