import { beforeEach, expect, test } from "vitest";
import { Heartbeat } from "../../src/connection/heartbeat.ts";
import { surroundings } from "../../src/runtime/environment.ts";
import { Clock } from "../support/clock.ts";

let clock: Clock;
let pings: number;
let deaths: number;
let heartbeat: Heartbeat;

beforeEach(() => {
  clock = new Clock();
  pings = 0;
  deaths = 0;
  heartbeat = new Heartbeat({
    beatMs: 15_000,
    environment: clock.within(surroundings),
    ping: () => pings++,
    onDead: () => {
      deaths++;
      heartbeat.stop();
    },
  });
});

test("two and a half beats of silence are death, and not less", () => {
  clock.pass(37_500);
  expect(deaths).toBe(0);
  clock.pass(7_500);
  expect(deaths).toBe(1);
  expect(pings).toBe(0);
});

test("whoever is heard lives", () => {
  for (let beat = 0; beat < 100; beat++) {
    clock.pass(15_000);
    heartbeat.heard();
  }
  expect(deaths).toBe(0);
});

test("after a sleep of the machine the gateway is asked before it is taken for dead", () => {
  clock.sleep(3_600_000);
  expect({ pings, deaths }).toEqual({ pings: 1, deaths: 0 });
  clock.pass(4_000);
  heartbeat.heard();
  clock.pass(30_000);
  expect(deaths).toBe(0);
});

test("one who does not answer a question within 5 s is dead", () => {
  heartbeat.probe();
  heartbeat.probe();
  expect(pings).toBe(1);
  clock.pass(4_999);
  expect(deaths).toBe(0);
  clock.pass(1);
  expect(deaths).toBe(1);
});

test("nothing is left to happen once it is stopped", () => {
  heartbeat.probe();
  heartbeat.stop();
  expect(clock.pending).toEqual([]);
});
