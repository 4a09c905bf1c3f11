import { expect, test } from "vitest";
import { Attendance } from "../page/attendance.ts";

test("nothing was missed before the page was opened", () => {
  const attendance = new Attendance();
  attendance.prepare(100);
  attendance.begin();
  expect(attendance.absenceOf(50)).toBeUndefined();
  expect(attendance.absenceOf(150)).toBeUndefined();
});

test("what was published before the last connection was missed, and what came after it was not", () => {
  const attendance = new Attendance();
  attendance.prepare(100);
  attendance.begin();
  attendance.prepare(200);
  attendance.begin();
  expect(attendance.absenceOf(199)).toBe(1);
  expect(attendance.absenceOf(200)).toBeUndefined();
});

test("tries that failed are part of one absence", () => {
  const attendance = new Attendance();
  attendance.prepare(100);
  attendance.begin();
  for (const at of [200, 300, 400]) attendance.prepare(at);
  attendance.begin();
  expect(attendance.absenceOf(350)).toBe(1);
});

test("a page that goes on where an earlier one ended has missed what came before its first connection", () => {
  const attendance = new Attendance({ cameBefore: true });
  attendance.prepare(100);
  attendance.begin();
  expect(attendance.absenceOf(50)).toBe(1);
  expect(attendance.absenceOf(150)).toBeUndefined();
});
