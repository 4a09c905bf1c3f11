import { expect, test } from "vitest";
import { connect } from "../../src/index.ts";
import { toSocketUrl } from "../../src/connection/socket-url.ts";

test.each([
  ["https://example.com", "wss://example.com/v1/ws"],
  ["http://localhost:3000/", "ws://localhost:3000/v1/ws"],
  ["https://example.com/live/?tenant=7#top", "wss://example.com/live/v1/ws?tenant=7"],
  ["wss://example.com", "wss://example.com/v1/ws"],
])("%s is reached at %s", (url, expected) => {
  expect(toSocketUrl(url)).toBe(expected);
});

test.each(["example.com", "/relative", "ftp://example.com", ""])("%j is refused before anything is opened", (url) => {
  expect(() => connect(url)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});
