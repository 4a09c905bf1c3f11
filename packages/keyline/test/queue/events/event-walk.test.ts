import fc from "fast-check";
import { expect, test } from "vitest";
import { walkEvents } from "../../../src/queue/events/event-walk.ts";
import type { EventEntry, EventPage, EventPlace } from "../../../src/valkey/queue/events.ts";

/** What happened: periods one after the other, each with so many events, of which some were not written, or lost. */
interface History {
  readonly periods: readonly { readonly name: string; readonly count: number }[];
  /** How many of the oldest are not kept any more. */
  readonly trimmed: number;
}

const histories = fc
  .record({ counts: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 }), trimmed: fc.integer({ min: 0, max: 12 }) })
  .map(({ counts, trimmed }): History => ({ periods: counts.map((count, index) => ({ name: String(100 + 10 * index), count })), trimmed }));

function entriesOf({ periods }: History): EventEntry[] {
  return periods.flatMap(({ name, count }) =>
    Array.from({ length: count }, (_, index) => ({
      place: { period: name, count: index + 1 },
      what: "added",
      id: `${name}-${index}`,
      at: 0,
      details: "",
    })),
  );
}

const isBehind = (one: EventPlace, other: EventPlace): boolean =>
  Number(one.period) > Number(other.period) || (one.period === other.period && one.count > other.count);

/** As events-page.lua reads it. */
function pageOf(history: History, from: EventPlace, size: number): EventPage {
  const { periods, trimmed } = history;
  const last = periods.at(-1) ?? { name: "", count: 0 };
  const kept = entriesOf(history).slice(trimmed);
  // With nothing kept nobody knows how many there were.
  const count = kept.at(-1)?.place.period === last.name ? last.count : 0;
  return {
    end: { period: last.name, count },
    before: periods.at(-2)?.name ?? "",
    why: "unwatched",
    entries: kept.filter(({ place }) => isBehind(place, from)).slice(0, size),
  };
}

test("every reader gets what is kept behind its place once and in order, and a gap wherever something is missing", () => {
  fc.assert(
    fc.property(histories, fc.nat(), fc.integer({ min: 1, max: 5 }), (history, pick, size) => {
      const all = entriesOf(history);
      const places: EventPlace[] = [{ period: history.periods[0]?.name ?? "", count: 0 }, ...all.map(({ place }) => place)];
      const start = places[pick % places.length] as EventPlace;
      let place = start;
      const seen: string[] = [];
      const announcedBefore = new Map<number, string>();
      for (let turns = 0; turns < 60; turns++) {
        const page = pageOf(history, place, size);
        const { steps, place: next } = walkEvents("q", page, { from: place, isEnd: page.entries.length < size });
        for (const step of steps) {
          if (step.kind === "gap") announcedBefore.set(seen.length, step.gap.reason);
          else seen.push(step.entry.id);
        }
        const hasMoved = next.period !== place.period || next.count !== place.count;
        place = next;
        if (!hasMoved && steps.length === 0) break;
      }
      const kept = all.slice(history.trimmed).filter((entry) => isBehind(entry.place, start));
      expect(seen).toEqual(kept.map(({ id }) => id));
      // Between two that are not one after the other, and in front of the first, something was announced.
      let before: EventPlace = start;
      kept.forEach((entry, index) => {
        const isNext = entry.place.period === before.period && entry.place.count === before.count + 1;
        if (!isNext) expect(announcedBefore.has(index)).toBe(true);
        else expect(announcedBefore.has(index)).toBe(false);
        before = entry.place;
      });
      // At the end it stands in the present period.
      expect(place.period).toBe(history.periods.at(-1)?.name);
    }),
    { numRuns: 2_000 },
  );
});

test("a reader ahead of what is there, as after a flush with the clock set back, is told of a loss and reads all that came since", () => {
  const page = (entries: EventEntry[]): EventPage => ({ end: { period: "50", count: 2 }, before: "", why: "unwatched", entries });
  const first = walkEvents("q", page([]), { from: { period: "100", count: 7 }, isEnd: true });
  expect(first.steps).toMatchObject([{ kind: "gap", gap: { reason: "lost", cursor: "50.0" } }]);
  expect(first.place).toEqual({ period: "50", count: 0 });
});
