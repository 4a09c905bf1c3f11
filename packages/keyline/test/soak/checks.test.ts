import { describe, expect, test } from "vitest";
import { check } from "../../soak/checks/check.ts";
import type { Evidence } from "../../soak/checks/evidence.ts";
import { findVacuity } from "../../soak/checks/vacuity.ts";
import type { FinalReading } from "../../soak/final-reading.ts";
import type { Op } from "../../soak/history.ts";

const clean: FinalReading = {
  orders: [],
  effects: [],
  ordersDead: [],
  tourEffects: [],
  toursCancelled: [],
  toursDead: [],
  legEffects: [],
  tripEffects: [],
  tripsDead: [],
  outingsDead: [],
  mailsDead: [],
  accounts: [],
  kept: [],
  record: [],
  eventEffects: [],
  mirror: [],
  hot: [],
  readings: [],
  residue: [],
};

let moment = 1_000_000;
function op(type: Op["type"], f: Op["f"], rest: Partial<Op> = {}): Op {
  moment += 10;
  return { proc: "worker0.1", i: moment, mono: moment, wall: moment, type, f, ...rest };
}

/** The rules that are found to be broken. */
function broken(ops: readonly Op[], final: Partial<FinalReading> = {}, rest: Partial<Evidence> = {}): string[] {
  return check(evidence(ops, final, rest)).map(({ rule, what }) => `${rule} ${what}`);
}

function evidence(ops: readonly Op[], final: Partial<FinalReading> = {}, rest: Partial<Evidence> = {}): Evidence {
  return { ops, final: { ...clean, ...final }, struck: [], forgotten: [], faultsFrom: 0, healedAt: Infinity, ...rest };
}

const added = (f: Op["f"], msg: string, end: Op["type"] = "ok", kind?: string): Op[] => [
  op("invoke", f, { msg, kind }),
  op(end, f, { msg, kind }),
];
const ran = (msg: string, attempt = 1): Op => op("invoke", "orders.run", { msg, attempt });
const effect = (msg: string, attempt = 1): FinalReading["effects"][number] => ({ msg, attempt, proc: "worker0.1", at: moment });

describe("of the transactional queue it is found", () => {
  test("nothing, where every order has its effect, also one whose end was not known", () => {
    const ops = [...added("orders.add", "p-0"), ...added("orders.add", "p-1", "info"), ran("p-0"), ran("p-1")];
    expect(broken(ops, { effects: [effect("p-0"), effect("p-1")], orders: ["p-0"] })).toEqual([]);
  });

  test("that an acknowledged order was lost, and whether a slow reader could explain it", () => {
    const ops = [0, 1, 2].flatMap((n) => added("orders.add", `p-${n}`));
    ops.push(ran("p-0"), ran("p-2"));
    const found = check(evidence(ops, { effects: [effect("p-0"), effect("p-2")] }));
    expect(found).toEqual([
      { rule: "I1", what: "1 acknowledged orders have neither an effect nor a dead letter", examples: ["p-1 (middle)"] },
    ]);
    expect(broken(added("orders.add", "p-0", "info"), { orders: ["p-0"] })).toEqual([
      "I1 1 orders whose transaction committed have neither",
    ]);
  });

  test("that an effect is there twice", () => {
    const ops = [...added("orders.add", "p-0"), ran("p-0")];
    expect(broken(ops, { effects: [effect("p-0"), effect("p-0")] })).toEqual(["I2 1 orders have their effect more than once"]);
    expect(broken([], { accounts: [{ total: 3, transfers: 2 }] })).toEqual(["I2 1 accounts are not what their transfers come to"]);
  });

  test("that something took effect which was never added, was rolled back, or never begun", () => {
    expect(broken([ran("p-0")], { effects: [effect("p-0")] })).toEqual(["I3 1 effects of orders that nobody added"]);
    const rolledBack = [...added("orders.add", "p-0", "fail"), ran("p-0")];
    expect(broken(rolledBack, { effects: [effect("p-0")] })).toEqual(["I3 1 orders that were rolled back took effect"]);
    expect(broken(added("orders.add", "p-0"), { effects: [effect("p-0")] })).toEqual(["I3 1 effects of attempts that never began"]);
  });

  test("that an attempt settled which had been overtaken, unless a fault of the moment explains it", () => {
    const ops = [...added("orders.add", "p-0"), ran("p-0"), ran("p-0", 2)];
    const late = { ...effect("p-0"), at: moment + 2_000 };
    expect(broken(ops, { effects: [late] })).toEqual(["I4 1 effects were written by an attempt that had been overtaken"]);
    const struck = [{ kind: "kill" as const, target: "worker1.1", from: moment, to: moment, proof: "signal SIGKILL" }];
    expect(broken(ops, { effects: [late] }, { struck })).toEqual([]);
  });

  test("that what was dead did not stay so, and that attempts were miscounted", () => {
    const poison = [...added("orders.add", "p-0", "ok", "poison"), ran("p-0"), ran("p-0", 2), ran("p-0", 3)];
    expect(broken(poison, { ordersDead: [{ msg: "p-0", attempts: 3 }] })).toEqual([]);
    expect(broken(poison, { ordersDead: [{ msg: "p-0", attempts: 2 }] })).toEqual(["I7 1 orders are dead whose attempts are not used up"]);
    expect(broken([...poison, ran("p-0", 4)], { ordersDead: [{ msg: "p-0", attempts: 3 }] })).toEqual(["I7 1 attempts beyond the last"]);
    expect(broken(poison, { effects: [effect("p-0", 3)], ordersDead: [{ msg: "p-0", attempts: 3 }] })).toEqual([
      "I4 1 orders are dead and have an effect",
      "I7 1 orders that can only fail took effect",
    ]);
  });

  test("that something is left behind", () => {
    expect(broken([], { residue: ["key soak:{orders}:held:x"] })).toEqual(["I5 something is left"]);
  });
});

describe("of the queue whose jobs go in steps it is found", () => {
  const tour = (msg: string, value = "b"): FinalReading["tourEffects"] => [
    { msg, part: "out", value: "a" },
    { msg, part: "back", value: "b" },
    { msg, part: "end", value },
  ];
  const told = (f: Op["f"], note: string, rest: Partial<Op> = {}): Op => op("ok", f, { msg: "p-0", note, ...rest });
  const adds = added("tours.add", "p-0");

  test("nothing, where it has ended once, or was cancelled, and everybody was told so", () => {
    const ops = [told("tours.step", "a", { token: "out" }), told("tours.wait", "value b"), told("tours.cancel", "unknown")];
    expect(broken([...adds, ...ops], { tourEffects: tour("p-0") })).toEqual([]);
    const cancelled = [told("tours.cancel", "running"), told("tours.wait", "JOB_CANCELLED")];
    const settled = op("fail", "tours.run", { msg: "p-0", note: "JOB_CANCELLED" });
    expect(broken([...adds, ...cancelled, settled], { tourEffects: tour("p-0").slice(0, 1), toursCancelled: ["p-0"] })).toEqual([]);
    const lostAnswer = op("info", "tours.cancel", { msg: "p-0" });
    expect(broken([...adds, lostAnswer, told("tours.cancel", "unknown")], { toursCancelled: ["p-0"] })).toEqual([]);
  });

  test("that one was lost, or a step was done twice or not at all", () => {
    expect(broken(adds)).toEqual(["I1 1 acknowledged tours have neither come to their end nor been cancelled"]);
    expect(broken(adds, { tourEffects: [...tour("p-0"), ...tour("p-0").slice(0, 1)] })).toEqual([
      "I2 1 steps have their effect more than once",
    ]);
    expect(broken(adds, { tourEffects: tour("p-0").slice(1) })).toEqual(["I2 1 tours have come to their end without a step"]);
    const other = told("tours.step", "c", { token: "out" });
    expect(broken([...adds, other], { tourEffects: tour("p-0") })).toEqual(["I2 1 runs were given another value than that of the effects"]);
  });

  test("that a cancel and a settle have both won, or somebody was told what is not true", () => {
    const cancelled = told("tours.cancel", "waiting");
    expect(broken([...adds, cancelled], { tourEffects: tour("p-0"), toursCancelled: ["p-0"] })).toEqual([
      "I4 1 tours are cancelled, and came to their end all the same",
    ]);
    expect(broken([...adds, cancelled], { tourEffects: tour("p-0") })).toEqual(["I4 1 cancels were told what is not true"]);
    expect(broken([...adds, told("tours.cancel", "unknown")], { toursCancelled: ["p-0"] })).toEqual([
      "I4 1 cancels were told what is not true",
    ]);
    expect(broken([...adds, cancelled, op("ok", "tours.run", { msg: "p-0" })], { toursCancelled: ["p-0"] })).toEqual([
      "I4 1 settles were told what is not true",
    ]);
    expect(broken([...adds, told("tours.wait", "JOB_UNKNOWN")], { tourEffects: tour("p-0") })).toEqual([
      "I4 1 those who waited were told what is not true",
    ]);
    expect(broken(adds, { tourEffects: tour("p-0", "b+go") })).toEqual(["I4 1 tours were signalled by nobody"]);
    expect(broken(adds, { toursCancelled: ["p-0"] })).toEqual(["I3 1 tours are cancelled that nobody has cancelled"]);
  });

  test("that what was never added, or rolled back, took effect, or one is dead", () => {
    expect(broken([], { tourEffects: tour("p-0") })).toEqual([
      "I3 1 effects of tours that nobody added, or that were told not to be there",
    ]);
    expect(broken(adds, { toursCancelled: [], toursDead: ["p-0"], tourEffects: tour("p-0") })).toEqual([
      "I7 1 tours are dead, whose attempts are not used up",
    ]);
  });
});

describe("of the queue whose jobs have children it is found", () => {
  const adds = added("trips.add", "p-0");
  const legs = ["a", "b"].map((value, leg) => ({ msg: "p-0", leg, value }));
  const trip = (...told: string[]): FinalReading["tripEffects"] => [{ msg: "p-0", legs: 2, told }];

  test("nothing, where all of a family has ended once, and the parent was told what its children committed", () => {
    const ops = [...adds, op("ok", "legs.run", { msg: "p-0 0" }), op("ok", "trips.run", { msg: "p-0" })];
    expect(broken(ops, { legEffects: legs, tripEffects: trip("b", "a") })).toEqual([]);
    expect(broken(added("trips.add", "p-0", "info"), {})).toEqual([]);
  });

  test("that an acknowledged one was lost, and that effects are there twice, or of nobody", () => {
    expect(broken(adds, { legEffects: legs })).toEqual(["I1 1 acknowledged trips have not come to their end"]);
    expect(broken(adds, { legEffects: [...legs, ...legs.slice(1)], tripEffects: trip("a", "b", "b") })).toContain(
      "I2 1 trips, or children of theirs, have their effect more than once",
    );
    expect(broken([], { legEffects: legs, tripEffects: trip("a", "b") })).toEqual([
      "I3 1 effects of families that nobody added, or that were told not to be there",
    ]);
  });

  test("that a parent did not wait, or was told what is not true", () => {
    const early = ["I4 1 parents have run before their children had ended, or were told something else than these had committed"];
    expect(broken(adds, { legEffects: legs, tripEffects: trip("a", "open") })).toEqual(early);
    expect(broken(adds, { legEffects: legs.slice(1), tripEffects: trip("a", "b") })).toEqual(early);
    expect(broken(adds, { legEffects: legs, tripEffects: trip("a") })).toEqual(early);
    const settled = op("ok", "legs.run", { msg: "p-0 1" });
    expect(broken([...adds, settled], { legEffects: legs.slice(0, 1), tripEffects: [{ msg: "p-0", legs: 1, told: ["a"] }] })).toEqual([
      "I4 1 settles in families were told what is not true",
    ]);
  });

  test("that one is dead", () => {
    expect(broken(adds, { legEffects: legs, tripEffects: trip("a", "b"), tripsDead: ["legs/x"] })).toEqual([
      "I7 1 jobs of families are dead, whose attempts are not used up",
    ]);
  });
});

describe("of the plain queue it is found", () => {
  const begun = (msg: string): Op => op("invoke", "mails.run", { msg, attempt: 1 });

  test("that an acknowledged mail was lost, unless Valkey forgot it", () => {
    const ops = [...added("mails.add", "p-0"), begun("p-0")];
    expect(broken(ops)).toEqual(["I1 1 acknowledged mails never ran to their end"]);
    expect(broken(ops, {}, { forgotten: [{ from: 0, to: moment, isTail: false }] })).toEqual([]);
    expect(broken(ops, {}, { forgotten: [{ from: 0, to: 5, isTail: false }] })).toEqual(["I1 1 acknowledged mails never ran to their end"]);
    expect(broken([...ops, op("ok", "mails.run", { msg: "p-0", attempt: 1 })])).toEqual([]);
  });

  test("that one ran of which nothing had been sent, and that an attempt began twice", () => {
    const end = op("ok", "mails.run", { msg: "p-0", attempt: 1 });
    expect(broken([...added("mails.add", "p-0", "fail"), begun("p-0"), end])).toEqual(["I3 1 mails ran of which nothing had been sent"]);
    expect(broken([...added("mails.add", "p-0"), begun("p-0"), begun("p-0"), end])).toEqual(["I7 1 attempts of mails began twice"]);
  });
});

describe("of the plain queue whose jobs have children it is found", () => {
  const adds = added("outings.add", "p-0");
  const stop = (leg: number): Op => op("ok", "stops.run", { msg: `p-0 ${leg}` });
  const parent = (...told: string[]): Op => op("ok", "outings.run", { msg: "p-0", note: JSON.stringify({ legs: 2, told }) });
  const early = ["I4 1 parents of outings have run before their children had ended, or were told something else than these came to"];

  test("nothing, where a parent ran behind its children and was told what they came to, also where one of them ran twice", () => {
    expect(broken([...adds, stop(0), stop(1), stop(0), parent("p-0 0", "p-0 1")])).toEqual([]);
    expect(broken([...added("outings.add", "p-0", "info"), stop(0)])).toEqual([]);
  });

  test("that an acknowledged one was lost, unless Valkey forgot it, and that one ran that nobody added", () => {
    const lost = [...adds, stop(0), stop(1)];
    expect(broken(lost)).toEqual(["I1 1 acknowledged outings have not come to their end"]);
    expect(broken(lost, {}, { forgotten: [{ from: 0, to: moment, isTail: false }] })).toEqual([]);
    expect(broken([stop(0)])).toEqual(["I3 1 jobs of outings ran that nobody added, or of which nothing had been sent"]);
  });

  test("that a parent did not wait, or was told what is not true, and that one is dead", () => {
    expect(broken([...adds, stop(0), parent("p-0 0", "p-0 1"), stop(1)])).toEqual(early);
    expect(broken([...adds, stop(0), stop(1), parent("p-0 0")])).toEqual(early);
    expect(broken([...adds, stop(0), stop(1), parent("p-0 0", "open")])).toEqual(early);
    expect(broken([...adds, stop(0), stop(1), parent("p-0 0", "p-0 1")], { outingsDead: ["p-0"] })).toEqual([
      "I7 1 jobs of outings are dead, whose attempts are not used up",
    ]);
  });
});

describe("of the channel it is found", () => {
  const sent = [0, 1, 2].flatMap((n) => added("news.publish", `p-${n}`));
  const got = (msg: string): Op => op("ok", "news.receive", { msg, proc: "subscriber0.1" });
  const gap = (): Op => op("info", "news.receive", { note: "gap lost", proc: "subscriber0.1" });

  test("nothing, where a hole was announced where it is", () => {
    expect(broken([...sent, got("p-0"), gap(), got("p-2")], { kept: ["p-2"] })).toEqual([]);
  });

  test("that a hole was not announced, or elsewhere", () => {
    const unannounced = "I8 1 acknowledged messages never came to subscriber0, between others that did and without a gap";
    expect(broken([...sent, gap(), got("p-0"), got("p-2")], { kept: ["p-2"] })).toContain(unannounced);
    expect(broken([...sent, got("p-0"), got("p-2"), gap()], { kept: ["p-2"] })).toContain(unannounced);
  });

  test("that messages came twice, late, or never though they are kept", () => {
    const all = ["p-0", "p-1", "p-2"];
    expect(broken([...sent, got("p-0"), got("p-0"), got("p-1"), got("p-2")], { kept: all })).toContain(
      "I8 1 messages came to subscriber0 twice",
    );
    expect(broken([...sent, got("p-1"), got("p-0"), got("p-2")], { kept: all })).toContain(
      "I8 1 messages came to subscriber0 out of their order",
    );
    expect(broken([...sent, got("p-0"), got("p-1"), gap()], { kept: all })).toEqual([
      "I8 1 messages that are kept never came to subscriber0",
    ]);
  });
});

describe("of the streams it is found", () => {
  const record = [0, 1].map((n) => ({ id: `1-${n}`, msg: `p-${n}`, key: "k" }));
  const whole = {
    record,
    eventEffects: record.map(({ id, key }) => ({ entry: id, key })),
    mirror: record.map(({ id }) => id),
    hot: ["1-1"],
  };
  const appended = [0, 1].flatMap((n) => added("events.append", `p-${n}`));
  const followed = (n: number): Op => op("ok", "events.follow", { msg: `p-${n}`, token: `1-${n}`, proc: "subscriber0.1" });

  test("nothing, where everything is the record", () => {
    expect(broken([...appended, followed(0), followed(1)], whole)).toEqual([]);
  });

  test("that the record lacks what was acknowledged, or has what was rolled back", () => {
    expect(broken([...appended, ...added("events.append", "p-2")], whole)).toEqual(["I1 1 acknowledged events are not in the record"]);
    expect(broken([...added("events.append", "p-0"), ...added("events.append", "p-1", "fail")], whole)).toEqual([
      "I3 1 events in the record that were rolled back",
    ]);
  });

  test("that effects, the projection, the hot window or a follower are not the record", () => {
    const { eventEffects, mirror } = whole;
    expect(broken(appended, { ...whole, eventEffects: [...eventEffects, ...eventEffects.slice(1)] })).toContain(
      "I2 1 entries took effect more than once",
    );
    expect(broken(appended, { ...whole, eventEffects: eventEffects.toReversed() })).toEqual([
      "I9 1 effects of k are not in the order of the record",
    ]);
    expect(broken(appended, { ...whole, mirror: mirror.slice(1) })).toEqual([
      "I9 1 entries are not where the record has them in the projection",
    ]);
    expect(broken(appended, { ...whole, hot: ["1-0"] })).toEqual(["I9 1 entries of the hot window are not the end of the record"]);
    expect(broken([...appended, followed(1)], whole)).toEqual(["I9 1 entries came to subscriber0 that are not the record"]);
  });

  test("that an acknowledged reading is gone, was never handled, or is missing for a follower without a gap", () => {
    const ops = [0, 1, 2].flatMap((n) => added("readings.append", `p-${n}`));
    const kept = [0, 1, 2].map((n) => ({ id: `1-${n}`, msg: `p-${n}` }));
    const handled = [0, 1, 2].map((n) => op("ok", "readings.handle", { msg: `p-${n}` }));
    const read = (n: number): Op => op("ok", "readings.follow", { msg: `p-${n}`, proc: "subscriber0.1" });
    expect(broken([...ops, ...handled, read(0), read(1), read(2)], { readings: kept })).toEqual([]);
    expect(broken([...ops, ...handled], { readings: kept.slice(1) })).toEqual(["I1 1 acknowledged readings are not there"]);
    expect(broken([...ops, ...handled.slice(1)], { readings: kept })).toContain("I1 1 acknowledged readings were never handled");
    expect(broken([...ops, ...handled, read(0), read(2)], { readings: kept })).toContain(
      "I9 1 acknowledged messages never came to subscriber0, between others that did and without a gap",
    );
  });
});

describe("before the first fault", () => {
  test("nothing is given to somebody else, unless the machine stood still", () => {
    const again = op("invoke", "mails.run", { msg: "p-0", attempt: 2 });
    const ops = [...added("mails.add", "p-0"), again, op("ok", "mails.run", { msg: "p-0", attempt: 2 })];
    expect(broken(ops, {}, { faultsFrom: Infinity })).toEqual(["calm 1 jobs were given to somebody else without a reason"]);
    expect(broken([...ops, op("info", "stall")], {}, { faultsFrom: Infinity })).toEqual([]);
  });
});

test("a run in which something never worked or no fault struck proves nothing, and says why", () => {
  expect(findVacuity(evidence(added("orders.add", "p-0")))).toEqual(
    expect.arrayContaining(["no orders.run went well", "only 1 operations ended while faults struck", "no fault is proven to have struck"]),
  );
});
