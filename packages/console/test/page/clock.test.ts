import { expect, test } from "vitest";
import { noteServerTime, serverNow } from "../../page/server/server-clock.ts";

test("times are by the server's clock where the reader's differs from it", () => {
  noteServerTime(new Date(Date.now() + 3_600_000).toUTCString());
  expect(Math.abs(serverNow() - Date.now() - 3_600_000)).toBeLessThan(2_000);
  noteServerTime(null);
  expect(serverNow() - Date.now()).toBeGreaterThan(3_000_000);
  noteServerTime(new Date().toUTCString());
  expect(Math.abs(serverNow() - Date.now())).toBeLessThan(5);
});
