import { expect, test } from "vitest";
import { Payloads } from "../../src/redact/payloads.ts";
import { Redactor } from "../../src/redact/redactor.ts";

const redactor = new Redactor(["email", "customer.phone", "*.pin", "cards*"]);

test("fields whose names have a word for a secret are hidden at any depth, and others are not", () => {
  const secrets = [
    "password",
    "Password",
    "passwordHash",
    "user_password",
    "accessToken",
    "access_token",
    "ACCESS-TOKEN",
    "accesstoken",
    "tokens",
  ];
  const more = [
    "clientSecret",
    "X-Authorization",
    "Set-Cookie",
    "cardNumber",
    "credit-card",
    "creditCard",
    "IBAN",
    "apiKey",
    "api_key",
    "apikey",
    "cvc",
  ];
  for (const name of [...secrets, ...more]) expect(redactor.value({ a: [{ [name]: "x" }] }), name).toEqual({ a: [{ [name]: "[hidden]" }] });
  const harmless = ["discard", "cardinality", "postcard", "keyboard", "author", "passenger", "idempotencyKey", "tokyo", "cooking"];
  for (const name of harmless) expect(redactor.value({ [name]: "x" }), name).toEqual({ [name]: "x" });
});

test("rules of the application's own hide names at any depth, and paths wherever they end", () => {
  expect(redactor.value({ email: 1, a: { Email: 2, emails: 3 } })).toEqual({ email: "[hidden]", a: { Email: "[hidden]", emails: 3 } });
  expect(redactor.value({ order: { customer: [{ phone: 1, name: 2 }] }, phone: 3 })).toEqual({
    order: { customer: [{ phone: "[hidden]", name: 2 }] },
    phone: 3,
  });
  expect(redactor.value({ pin: 1, any: { pin: 2 } })).toEqual({ pin: 1, any: { pin: "[hidden]" } });
});

test("refuses rules that would hide nothing", () => {
  for (const rule of ["", "a..b", ".a", "a.", undefined as unknown as string]) expect(() => new Redactor([rule]), rule).toThrow("redact");
});

test("values of names like these are hidden in texts too, in whatever form they stand there", () => {
  const hidden = [
    ["Error: token=abc: password=abc", "Error: token=[hidden] password=[hidden]"],
    ["password=abc123 failed", "password=[hidden] failed"],
    ["the password: abc123, and more", "the password: [hidden], and more"],
    ['{"token":"abc","id":1}', '{"token":"[hidden]","id":1}'],
    ["{ accessToken: 'abc def', id: 1 }", "{ accessToken: '[hidden]', id: 1 }"],
    ['{\\"secret\\":\\"abc\\",\\"id\\":1}', '{\\"secret\\":\\"[hidden]\\",\\"id\\":1}'],
    ["GET /x?api_key=abc&page=2", "GET /x?api_key=[hidden]&page=2"],
    ["Authorization: Bearer abc.def", "Authorization: [hidden]"],
    ["cookie: a=1; b=2", "cookie: [hidden]"],
    ["sent Bearer abcdefgh12345 to it", "sent Bearer [hidden] to it"],
    ["postgres://ann:s3cret@db:5432/x", "postgres://ann:[hidden]@db:5432/x"],
    ["jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl here", "jwt [hidden] here"],
    ["email=ann@example.com", "email=[hidden]"],
    ["user.email: ann@example.com", "user.email: [hidden]"],
  ] as const;
  for (const [text, shown] of hidden) {
    expect(redactor.text(text)).toBe(shown);
    expect(redactor.text(shown)).toBe(shown);
  }
  for (const text of ["ECONNREFUSED: connect to 10.0.0.1:5432", "id=5 name=x", "discard: 5", ""]) expect(redactor.text(text)).toBe(text);
  expect(redactor.value({ note: "password=abc" })).toEqual({ note: "password=[hidden]" });
});

test("hostile texts do not take long", () => {
  const started = process.cpuUsage();
  for (const text of [
    "a".repeat(250_000),
    "a=".repeat(125_000),
    'a="'.repeat(75_000),
    "a: ".repeat(75_000),
    "://".repeat(75_000),
    '\\"'.repeat(125_000),
    "token=".repeat(50_000),
    'token="'.repeat(50_000),
    "token='".repeat(50_001),
  ]) {
    redactor.text(text);
  }
  // Of the processor's time, which a busy machine does not change: quadratic ones take minutes.
  expect(process.cpuUsage(started).user / 1_000_000).toBeLessThan(5);
});

test("what was hidden comes back as it was, and cannot be sent where nothing was", () => {
  const kept = { name: "a", password: "p", list: [{ email: { deep: 1 } }], note: "token=abc and 5" };
  const shown = redactor.value(kept) as typeof kept;
  expect(redactor.restore({ ...shown, name: "b" }, kept)).toEqual({ ...kept, name: "b" });
  expect(() => redactor.restore({ ...shown, note: "token=[hidden] and 6" }, kept)).toThrow("hidden");
  expect(() => redactor.restore({ other: "[hidden]" }, kept)).toThrow("hidden");
  expect(() => redactor.restore("[hidden]", undefined)).toThrow("hidden");
});

test("payloads of any size and depth are shown, large ones in lists by their beginnings", () => {
  const payloads = new Payloads(redactor);
  expect(payloads.inList({ a: 1, token: "x" })).toEqual({
    bytes: 19,
    preview: '{"a":1,"token":"[hidden]"}',
    data: { a: 1, token: "[hidden]" },
    isWhole: true,
  });
  const large = payloads.inList({ text: "ä".repeat(100_000) });
  expect(large).toMatchObject({ bytes: 200_011, data: null, isWhole: false });
  expect(large.preview).toHaveLength(240);
  expect(payloads.whole({ text: "ä".repeat(100_000) })).toMatchObject({ isWhole: true, data: { text: "ä".repeat(100_000) } });
  let deep: unknown = 1;
  for (let depth = 0; depth < 5_000; depth++) deep = { a: deep };
  expect(payloads.whole(deep).preview).toContain('{"a":');
  expect(payloads.inList(undefined)).toMatchObject({ data: null, preview: "null" });
});
