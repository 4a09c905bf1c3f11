import { expect, test } from "vitest";
import { OrderTracks } from "../server/order-tracks.ts";

test("an order belongs to the worker that started it, until it is processed", () => {
  const tracks = new OrderTracks();
  tracks.noteStep(1, { kind: "started", orderId: 7, attempt: 1, at: 100 });
  expect(tracks.holderOf(7)).toBe(1);
  expect(tracks.heldBy(1)).toEqual([7]);
  tracks.noteStep(1, { kind: "processed", orderId: 7, at: 130 });
  expect(tracks.holderOf(7)).toBeUndefined();
  expect(tracks.heldBy(1)).toEqual([]);
  expect(tracks.find(7)).toMatchObject({ workerId: 1, startedAt: 100, processedAt: 130 });
  expect(tracks.finished).toEqual([7]);
});

test("an order that another worker starts is taken over from the one that was killed", () => {
  const tracks = new OrderTracks();
  tracks.noteStep(1, { kind: "started", orderId: 7, attempt: 1, at: 100 });
  tracks.noteStep(1, { kind: "started", orderId: 8, attempt: 1, at: 100 });
  tracks.noteStep(2, { kind: "started", orderId: 7, attempt: 2, at: 3_200 });
  expect(tracks.heldBy(1)).toEqual([8]);
  expect(tracks.heldBy(2)).toEqual([7]);
  expect(tracks.find(7)).toMatchObject({ attempt: 2, workerId: 2 });
});

test("a late report of the worker that lost an order does not take it from the one that has it", () => {
  const tracks = new OrderTracks();
  tracks.noteStep(1, { kind: "started", orderId: 7, attempt: 1, at: 100 });
  tracks.noteStep(2, { kind: "started", orderId: 7, attempt: 2, at: 3_200 });
  tracks.noteStep(1, { kind: "released", orderId: 7, at: 3_300 });
  expect(tracks.holderOf(7)).toBe(2);
});

test("a second delivery of a processed order does not change its times", () => {
  const tracks = new OrderTracks();
  tracks.noteStep(1, { kind: "started", orderId: 7, attempt: 1, at: 100 });
  tracks.noteStep(1, { kind: "processed", orderId: 7, at: 130 });
  tracks.noteStep(2, { kind: "started", orderId: 7, attempt: 2, at: 500 });
  expect(tracks.find(7)).toMatchObject({ workerId: 1, startedAt: 100, processedAt: 130 });
});

test("orders that the table has as processed are no longer held by a worker that did not live to say so", () => {
  const tracks = new OrderTracks();
  tracks.noteStep(1, { kind: "started", orderId: 7, attempt: 1, at: 100 });
  tracks.noteProcessed([7]);
  expect(tracks.heldBy(1)).toEqual([]);
});

test("remembers a bounded number of orders, the newest", () => {
  const tracks = new OrderTracks();
  tracks.notePlaced(Array.from({ length: 20_001 }, (_, index) => index + 1));
  expect(tracks.find(1)).toBeUndefined();
  expect(tracks.find(2)).toBeDefined();
  expect(tracks.find(20_001)).toBeDefined();
});

test("forgets what was processed long ago, and not what is still to come", () => {
  const tracks = new OrderTracks();
  tracks.notePlaced([1_000_000]);
  for (let orderId = 1; orderId <= 600; orderId++) tracks.noteStep(1, { kind: "processed", orderId, at: orderId });
  expect(tracks.find(100)).toBeUndefined();
  expect(tracks.find(101)).toMatchObject({ processedAt: 101 });
  expect(tracks.find(1_000_000)).toBeDefined();
});
