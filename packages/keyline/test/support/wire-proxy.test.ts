import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startWireProxy, type WireProxy } from "./wire-proxy.ts";

// The server answers "re:" and what it got to every chunk, and notes everything that reaches it.
let server: Server;
let proxy: WireProxy;
let received: string[];
let endedOnServer: number;
let clients: Socket[];

beforeEach(async () => {
  received = [];
  endedOnServer = 0;
  clients = [];
  server = createServer((socket) => {
    socket.on("data", (bytes) => {
      received.push(bytes.toString());
      socket.write(`re:${bytes.toString()}`);
    });
    socket.on("end", () => endedOnServer++).on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await startWireProxy({ target: { host: "127.0.0.1", port: portOf(server) }, seed: 7 });
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await proxy.stop();
  server.close();
});

function portOf(listener: Server): number {
  const address = listener.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function newClient(): Promise<Socket> {
  const client = connect(proxy.port, "127.0.0.1");
  clients.push(client);
  await once(client, "connect");
  return client;
}

async function ask(client: Socket, request: string): Promise<string> {
  client.write(request);
  const [reply] = (await once(client, "data")) as [Buffer];
  return reply.toString();
}

/** Resolves with the error code when the connection breaks, or "end" when it ends in order. */
function breakOf(client: Socket): Promise<string> {
  return new Promise((resolve) => {
    client.on("error", (error) => resolve("code" in error ? String(error.code) : error.message));
    client.on("end", () => resolve("end")).resume();
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function staysSilent(client: Socket): Promise<boolean> {
  const answer = Promise.race([once(client, "data"), once(client, "close"), once(client, "end")]).then(() => false);
  return Promise.race([answer, new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 100))]);
}

const matching =
  (text: string) =>
  (bytes: Buffer): boolean =>
    bytes.includes(text);

test("without faults everything passes, the end of a connection too", async () => {
  const client = await newClient();
  expect(await ask(client, "PING")).toBe("re:PING");
  client.end();
  await once(client.resume(), "end");
  await until(() => endedOnServer === 1);
  expect(proxy).toMatchObject({ connections: 1, swallowed: 0, cuts: 0, stalls: 0 });
});

describe("swallowReply", () => {
  test("the server gets the request, the client gets a reset in place of the answer, once", async () => {
    proxy.swallowReply(matching("COMMIT"));
    const client = await newClient();
    expect(await ask(client, "BEGIN")).toBe("re:BEGIN");
    const broken = breakOf(client);
    client.write("COMMIT");
    expect(await broken).toBe("ECONNRESET");
    expect(received).toEqual(["BEGIN", "COMMIT"]);
    expect(proxy).toMatchObject({ swallowed: 1, cuts: 1 });
    expect(await ask(await newClient(), "COMMIT")).toBe("re:COMMIT");
  });

  test("and then stall: the connection stays, and nothing moves on it any more", async () => {
    proxy.swallowReply(matching("COMMIT"), { andThen: "stall" });
    const client = await newClient();
    client.write("COMMIT");
    await until(() => proxy.swallowed === 1);
    client.write("SELECT");
    expect(await staysSilent(client)).toBe(true);
    expect(received).toEqual(["COMMIT"]);
    expect(proxy).toMatchObject({ cuts: 0, stalls: 1 });
  });

  test("as often as it is told", async () => {
    proxy.swallowReply(matching("COMMIT"), { times: 2 });
    for (let round = 0; round < 2; round++) {
      const client = await newClient();
      const broken = breakOf(client);
      client.write("COMMIT");
      await broken;
    }
    expect(await ask(await newClient(), "COMMIT")).toBe("re:COMMIT");
    expect(proxy.swallowed).toBe(2);
  });

  test("a delayed request still reaches the server before the cut", async () => {
    proxy.delay(30);
    proxy.swallowReply(matching("COMMIT"));
    const client = await newClient();
    const broken = breakOf(client);
    client.write("COMMIT");
    await broken;
    expect(received).toEqual(["COMMIT"]);
  });
});

test("cutBeforeForward: the server never sees the request, but all before it", async () => {
  proxy.cutBeforeForward(matching("EVALSHA"));
  const client = await newClient();
  expect(await ask(client, "PING")).toBe("re:PING");
  const broken = breakOf(client);
  client.write("EVALSHA");
  expect(await broken).toBe("ECONNRESET");
  await until(() => endedOnServer === 1);
  expect(received).toEqual(["PING"]);
  expect(proxy).toMatchObject({ swallowed: 0, cuts: 1 });
});

test("stallAll: old and new connections are open and silent, a client's end is not passed on, and passAll is for new ones", async () => {
  const old = await newClient();
  await ask(old, "PING");
  proxy.stallAll();
  const young = await newClient();
  old.write("lost");
  young.write("lost");
  expect(await staysSilent(old)).toBe(true);
  expect(await staysSilent(young)).toBe(true);
  old.destroy();
  expect(received).toEqual(["PING"]);
  proxy.passAll();
  expect(await ask(await newClient(), "PING")).toBe("re:PING");
  expect(await staysSilent(young)).toBe(true);
  expect(endedOnServer).toBe(0);
  expect(proxy.stalls).toBe(2);
});

test("cutAll cuts every connection, stalled ones too, and new ones pass", async () => {
  const stalled = await newClient();
  await ask(stalled, "PING");
  proxy.stallAll();
  proxy.passAll();
  const open = await newClient();
  await ask(open, "PING");
  const broken = Promise.all([breakOf(open), breakOf(stalled)]);
  proxy.cutAll();
  expect(await broken).toEqual(["ECONNRESET", "ECONNRESET"]);
  await until(() => endedOnServer === 2);
  expect(await ask(await newClient(), "PING")).toBe("re:PING");
});

test("refuse: nobody listens on the port, open connections live, and it comes back on the same port", async () => {
  const client = await newClient();
  await ask(client, "PING");
  await proxy.refuse(true);
  await expect(newClient()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(await ask(client, "PING")).toBe("re:PING");
  await proxy.refuse(false);
  expect(await ask(await newClient(), "PING")).toBe("re:PING");
});

test("delay: both ways, in order", async () => {
  proxy.delay(40);
  const client = await newClient();
  const start = performance.now();
  client.write("one");
  await new Promise((resolve) => setTimeout(resolve, 10));
  client.write("two");
  let reply = "";
  client.on("data", (bytes) => (reply += bytes.toString()));
  // On a busy machine the server reads both at once, and answers them as one.
  const echoed = (): string => reply.replaceAll("re:", "");
  await until(() => echoed().length >= "onetwo".length);
  expect(echoed()).toBe("onetwo");
  expect(performance.now() - start).toBeGreaterThanOrEqual(80);
});

test("sliceBytes: the same bytes in many pieces", async () => {
  const text = "abcdefghijklmnopqrstuvwxyz".repeat(4);
  const runs: string[] = [];
  for (let run = 0; run < 2; run++) {
    received = [];
    const sliced = await startWireProxy({ target: { host: "127.0.0.1", port: portOf(server) }, seed: 42 });
    sliced.sliceBytes(5);
    const client = connect(sliced.port, "127.0.0.1");
    client.write(text);
    await until(() => received.join("").length === text.length);
    client.destroy();
    await sliced.stop();
    runs.push(received.join(""));
    expect(received.length).toBeGreaterThan(5);
  }
  expect(runs).toEqual([text, text]);
});

test("a server that is away ends the client's connection", async () => {
  const away = await startWireProxy({ target: { host: "127.0.0.1", port: 1 } });
  const client = connect(away.port, "127.0.0.1");
  expect(await breakOf(client)).toMatch(/end|ECONNRESET/);
  await away.stop();
});
