import fc from "fast-check";
import { expect, test } from "vitest";
import { HeldJob, HeldJobs } from "../../../src/queue/worker/held-jobs.ts";

type Held = HeldJob<unknown>;
const job = (id: number): Held => new HeldJob(`{"id":"${id}","data":null}`);

/** What the scripts do with the places they are given, on a plain array. */
function remove(
  list: Held[],
  places: readonly { readonly place: number; readonly begins: string }[],
  areOldest: boolean,
  count: number,
): Held[] {
  if (areOldest) {
    expect(list[0]?.begins).toBe(places[0]?.begins);
    expect(places).toHaveLength(Math.min(count, 2));
    expect(list[count - 1]?.begins).toBe(places.at(-1)?.begins);
    return list.splice(0, count);
  }
  return places.flatMap(({ place, begins }) => {
    expect(list[place]?.begins).toBe(begins);
    return list.splice(place, 1);
  });
}

test("the places of jobs that leave are those in the server's list, in whatever order they leave", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat({ max: 99 }), { maxLength: 20 }), { maxLength: 20 }), (rounds) => {
      const held = new HeldJobs<unknown>();
      const server: Held[] = [];
      let next = 0;
      for (const picks of rounds) {
        const taken = Array.from({ length: 10 }, () => job(next++));
        held.join(taken);
        server.push(...taken);
        const leaving = [...new Set(picks.map((pick) => server[pick % server.length]))].filter((one) => one !== undefined);
        if (leaving.length === 0) continue;
        const { places, areOldest } = held.leave(leaving);
        expect(remove(server, places, areOldest, leaving.length)).toEqual(leaving);
        expect(held.all()).toEqual(server);
      }
    }),
  );
});

test("after a doubt the list on the server decides: what is unknown, what is still held, what has gone", () => {
  const held = new HeldJobs<unknown>();
  const [kept, gone, sent, settled] = [job(1), job(2), job(3), job(4)];
  held.join([kept, gone]);
  const { unknown, stillHeld, vanished } = held.reconcile([sent.raw, '{"id":"5","data":null}', kept.raw], [sent, settled]);
  expect(unknown).toEqual(['{"id":"5","data":null}']);
  expect([...stillHeld]).toEqual([sent]);
  expect(vanished).toEqual([gone]);
  expect(held.all()).toEqual([sent, kept]);
});

test("two equal elements are two jobs", () => {
  const held = new HeldJobs<unknown>();
  const [one, other] = [job(1), job(1)];
  held.join([one, other]);
  const { unknown, vanished } = held.reconcile([one.raw, one.raw, one.raw], []);
  expect(unknown).toEqual([one.raw]);
  expect(vanished).toEqual([]);
});
