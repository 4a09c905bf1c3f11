import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort, host } from "../src/process/ports.ts";
import { decode, request } from "../src/valkey/resp.ts";

const bytes = Buffer.from("*5\r\n$3\r\nkey\r\n:42\r\n$-1\r\n*2\r\n+OK\r\n$4\r\na\r\nb\r\n-ERR no\r\n");
const value = ["key", 42, null, ["OK", "a\r\nb"], new Error("ERR no")];

test("replies of every type are read", () => {
  expect(decode(bytes, 1)).toEqual([value]);
});

test("a reply that is cut anywhere is waited for", () => {
  for (let length = 0; length < bytes.length; length++) expect(decode(bytes.subarray(0, length), 1)).toBe(undefined);
});

test("a server that closes the connection, or says nothing, is no answer", async () => {
  const port = await freePort();
  await expect(request({ port }, "PING")).rejects.toMatchObject({ code: "REQUEST_FAILED" });
  const silent = createServer().listen({ port, host });
  await expect(request({ port, timeoutMs: 50 }, "PING")).rejects.toMatchObject({ code: "REQUEST_FAILED" });
  silent.close();
});
