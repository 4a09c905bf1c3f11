import { hostname } from "node:os";
import { expect, test } from "vitest";
import { ownOrigins } from "../own-origins.ts";

const loopback = ["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"];

test("a server on loopback is reached by the names of loopback alone", () => {
  for (const host of ["localhost", "127.0.0.1", "::1"]) expect(ownOrigins(host, 3000)).toEqual(loopback);
});

test("a server on every address is reached by each of them, and by the machine's name", () => {
  for (const host of ["0.0.0.0", "::"]) {
    expect(ownOrigins(host, 3000)).toEqual(expect.arrayContaining([...loopback, `http://${hostname().toLowerCase()}:3000`]));
  }
});

test("a server on one address is reached by that", () => {
  expect(ownOrigins("192.0.2.7", 3000)).toEqual(["http://192.0.2.7:3000"]);
  expect(ownOrigins("2001:db8::7", 3000)).toEqual(["http://[2001:db8::7]:3000"]);
});

test("the port of HTTP itself is left out, as browsers do", () => {
  expect(ownOrigins("example.com", 80)).toEqual(["http://example.com"]);
});
