import { createServer, type AddressInfo, type Server } from "node:net";
import { Keyline } from "keyline";
import pg from "pg";
import { afterEach, expect, inject, test } from "vitest";

// A server that speaks the protocol of PostgreSQL and answers every statement with its version, and notes what it was sent.

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close();
});

const message = (type: string, body: Buffer): Buffer => {
  const head = Buffer.from(`${type}....`);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const number = (size: 2 | 4, value: number): Buffer => {
  const bytes = Buffer.alloc(size);
  bytes.writeIntBE(value, 0, size);
  return bytes;
};
const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const column = (name: string, type: number): Buffer =>
  Buffer.concat([text(name), number(4, 0), number(2, 0), number(4, type), number(2, -1), number(4, -1), number(2, 0)]);
const field = (value: string): Buffer => Buffer.concat([number(4, value.length), Buffer.from(value)]);
const ready = message("Z", Buffer.from("I"));
const welcome = Buffer.concat([message("R", number(4, 0)), ready]);
const answer = (version: number, name: string): Buffer =>
  Buffer.concat([
    message("T", Buffer.concat([number(2, 2), column("number", 23), column("name", 25)])),
    message("D", Buffer.concat([number(2, 2), field(String(version)), field(name)])),
    message("C", text("SELECT 1")),
    ready,
  ]);

interface OldServer {
  readonly url: string;
  /** The messages it was sent, without those that begin and end a connection: type and text. */
  readonly sent: Set<string>;
  version: readonly [number: number, name: string];
}

async function startOldServer(version: OldServer["version"]): Promise<OldServer> {
  const sent = new Set<string>();
  const server: Server = createServer((socket) => {
    let rest = Buffer.alloc(0);
    let hasBegun = false;
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (;;) {
        const from = hasBegun ? 1 : 0;
        const length = rest.length < from + 4 ? Infinity : from + rest.readInt32BE(from);
        if (rest.length < length) return;
        const [type, body] = [rest.toString("latin1", 0, from), rest.toString("utf8", from + 4, length).replaceAll("\0", "")];
        rest = rest.subarray(length);
        if (!hasBegun) socket.write(welcome);
        else if (type !== "X") {
          sent.add(`${type} ${body}`);
          socket.write(answer(...old.version));
        }
        hasBegun = true;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(server);
  const { port } = server.address() as AddressInfo;
  const old = { url: `postgres://nobody@127.0.0.1:${port}/none`, sent, version };
  return old;
}

function open(postgres: string | pg.Pool): Keyline {
  const keyline = new Keyline({ valkey: inject("valkeyUrl"), postgres, prefix: `old_${process.pid}` });
  opened.push(keyline);
  return keyline;
}

const theQuestion = /^Q SELECT current_setting\('server_version_num'\)/;

test("a server that is too old is told at every use, and is sent nothing but the question", async () => {
  const old = await startOldServer([130_023, "13.23 (Debian 13.23-1)"]);
  const lent = new pg.Pool({ connectionString: old.url });
  opened.push({ close: () => lent.end() });
  for (const keyline of [open(old.url), open(lent)]) {
    const queue = keyline.queue("q", { transactional: true });
    const stream = keyline.stream("s", { transactional: true });
    const tooOld = expect.objectContaining({
      name: "KeylineError",
      code: "SERVER_TOO_OLD",
      message: expect.stringMatching(/nothing was sent.*13\.23 \(Debian.*PostgreSQL 14 or newer/) as string,
    }) as Error;
    await expect(queue.add(1)).rejects.toEqual(tooOld);
    await expect(queue.add(1, { id: "1" })).rejects.toEqual(tooOld);
    await expect(queue.counts()).rejects.toEqual(tooOld);
    await expect(stream.append(1)).rejects.toEqual(tooOld);
    await expect(stream.read()[Symbol.asyncIterator]().next()).rejects.toEqual(tooOld);
    await expect(keyline.migrate()).rejects.toEqual(tooOld);
    let calls = 0;
    await expect(keyline.transaction(async () => void calls++)).rejects.toEqual(tooOld);
    expect(calls).toBe(0);
    const told = [
      new Promise((resolve) => queue.work(() => undefined).on("error", resolve)),
      new Promise((resolve) => stream.project("p", async () => undefined).on("error", resolve)),
    ];
    for (const error of await Promise.all(told)) expect(error).toEqual(tooOld);
  }
  expect([...old.sent]).toEqual([expect.stringMatching(theQuestion)]);
});

test("the oldest that will do is used, and not asked again", async () => {
  const old = await startOldServer([140_000, "14.0"]);
  const keyline = open(old.url);
  // Its answers are none that anything can be made of.
  await Promise.allSettled([keyline.migrate()]);
  expect([...old.sent].slice(0, 2)).toEqual([expect.stringMatching(theQuestion), expect.not.stringMatching(theQuestion)]);
});

test("one that is upgraded is used without a new Keyline", async () => {
  const old = await startOldServer([90_624, "9.6.24"]);
  const keyline = open(old.url);
  await expect(keyline.migrate()).rejects.toMatchObject({ code: "SERVER_TOO_OLD" });
  old.version = [180_000, "18.0"];
  await keyline.migrate().catch(() => undefined);
  expect([...old.sent]).toContainEqual(expect.not.stringMatching(theQuestion));
});
