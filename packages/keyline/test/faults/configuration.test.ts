import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startValkey, startValkeyCluster, type EmbeddedValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { Keyline, type KeylineOptions } from "keyline";
import { eventually } from "../support/stage.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

// What somebody has to change is told by a code of its own, with the server's reason, at once, and to everybody who waits for Valkey.

let server: EmbeddedValkey;
let admin: Valkey;
const opened: Keyline[] = [];
beforeAll(async () => {
  server = await startValkey();
  admin = new Valkey({ host: server.host, port: server.port });
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

const printed: unknown[] = [];
beforeEach(() => {
  for (const name of ["log", "warn", "error"] as const)
    vi.spyOn(console, name).mockImplementation((...values) => void printed.push(values));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((keyline) => keyline.close()));
  vi.restoreAllMocks();
  expect(printed.splice(0)).toEqual([]);
});

function open(valkey: KeylineOptions["valkey"]): Keyline {
  const keyline = new Keyline({ valkey, prefix: "faults" });
  opened.push(keyline);
  return keyline;
}

/** Every way to send something, and to read, ends in `code`, with `reason` in the message. */
async function expectFault(keyline: Keyline, code: string, reason: RegExp): Promise<void> {
  const fault = expect.objectContaining({ name: "KeylineError", code, message: expect.stringMatching(reason) as string }) as Error;
  const channel = keyline.channel("c", { history: { size: 10 } });
  await expect(keyline.queue("q").add(1)).rejects.toEqual(fault);
  await expect(keyline.queue("q").add(1, { id: "1" })).rejects.toEqual(fault);
  await expect(keyline.queue("q").counts()).rejects.toEqual(fault);
  await expect(channel.publish(1)).rejects.toEqual(fault);
  await expect(channel.presence.enter("ada")).rejects.toEqual(fault);
  await expect(keyline.stream("s").append(1)).rejects.toEqual(fault);
  await expect(keyline.command("GET", "x")).rejects.toEqual(fault);
  await expect(channel.subscribe().ready).rejects.toEqual(fault);
  await expect(keyline.stream("s").follow()[Symbol.asyncIterator]().next()).rejects.toEqual(fault);
  const told = [
    new Promise((resolve) =>
      keyline
        .queue("q")
        .work(() => undefined)
        .on("error", resolve),
    ),
    new Promise((resolve) =>
      keyline
        .stream("s")
        .consume("g", () => undefined)
        .on("error", resolve),
    ),
  ];
  for (const error of await Promise.all(told)) expect(error).toEqual(fault);
}

const address = (): { host: string; port: number } => ({ host: server.host, port: server.port });

test("a wrong password", async () => {
  await admin.call("ACL", "SETUSER", "shop", "on", ">right", "~*", "&*", "+@all");
  await expectFault(open({ ...address(), username: "shop", password: "wrong" }), "ACCESS_DENIED", /WRONGPASS/);
});

test("a password where the server asks for none is none of the user's troubles", async () => {
  await open({ ...address(), password: "unneeded" })
    .queue("q")
    .add(1);
});

test("a database that the server does not have", async () => {
  await expectFault(open({ ...address(), db: 99 }), "NO_SUCH_DATABASE", /DB index is out of range/);
  expect((await admin.keys("faults:*")).filter((key) => !/:(rates|directory):/.test(key))).toEqual(["faults:{q}:waiting"]);
});

test("a user without the right to a command", async () => {
  await admin.call("ACL", "SETUSER", "reader", "on", ">right", "~*", "&*", "+@all", "-@write", "-publish");
  const keyline = open({ ...address(), username: "reader", password: "right" });
  const fault = expect.objectContaining({
    name: "KeylineError",
    code: "NOT_PERMITTED",
    message: expect.stringMatching(/lpush/i) as string,
  }) as Error;
  await expect(keyline.queue("q").add(1)).rejects.toEqual(fault);
});

test("a user who may use nothing but what connecting takes", async () => {
  await admin.call("ACL", "SETUSER", "nobody", "on", ">right", "~*", "&*", "-@all", "+hello", "+ping", "+select", "+auth");
  const keyline = open({ ...address(), username: "nobody", password: "right" });
  for (const send of [() => keyline.queue("q").add(1), () => keyline.channel("d").publish(1), () => keyline.stream("s").append(1)])
    await expect(send()).rejects.toMatchObject({ name: "KeylineError", code: "NOT_PERMITTED" });
});

test("a server that is no cluster", async () => {
  await expectFault(open({ cluster: [address()] }), "WRONG_TOPOLOGY", /cluster support disabled/);
});

test("a cluster where a single server was named", async () => {
  const cluster = await startValkeyCluster();
  const [node] = cluster.nodes;
  if (!node) throw new Error("a cluster without nodes");
  await expectFault(open({ host: node.host, port: node.port }), "WRONG_TOPOLOGY", /node of a cluster/);
  await cluster.stop();
});

test("a replica, until it is the primary", async () => {
  const replica = await startValkey({ config: { replicaof: `${server.host} ${server.port}` } });
  const keyline = open({ host: replica.host, port: replica.port });
  await expect(keyline.queue("r").add(1)).rejects.toMatchObject({
    code: "VALKEY_READ_ONLY",
    message: expect.stringContaining("replica") as string,
  });
  const client = new Valkey({ host: replica.host, port: replica.port });
  await client.call("REPLICAOF", "NO", "ONE");
  await keyline.queue("r").add(1);
  client.disconnect();
  await keyline.close();
  await replica.stop();
});

test("a server that is too old", async () => {
  for (const hello of ["-ERR unknown command `HELLO`\r\n", "*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n6.2.14\r\n"]) {
    const old = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", () => socket.write(`${hello}+OK\r\n+PONG\r\n`));
    });
    await new Promise<void>((resolve) => old.listen(0, "127.0.0.1", resolve));
    const { port } = old.address() as AddressInfo;
    await expectFault(open({ host: "127.0.0.1", port }), "SERVER_TOO_OLD", /6\.2\.14|unknown command/);
    await Promise.all(opened.splice(0).map((keyline) => keyline.close()));
    old.close();
  }
});

describe("while it runs", () => {
  test("a password that is changed: nothing is sent any more, and that is what is said", async () => {
    await admin.call("ACL", "SETUSER", "rotated", "on", ">first", "~*", "&*", "+@all");
    const keyline = open({ ...address(), username: "rotated", password: "first" });
    const queue = keyline.queue("rotated");
    await queue.add(1);
    const told = new Promise<unknown>((resolve) => queue.work(() => undefined).on("error", resolve));
    await admin.call("ACL", "SETUSER", "rotated", "resetpass", ">second");
    await admin.call("CLIENT", "KILL", "USER", "rotated");
    expect(await told).toMatchObject({ code: "ACCESS_DENIED" });
    for (const send of [() => queue.add(2), () => keyline.channel("d").publish(1), () => keyline.stream("s").append(1)])
      await expect(send()).rejects.toMatchObject({ code: "ACCESS_DENIED", message: expect.stringContaining("nothing was sent") as string });
    await admin.call("ACL", "SETUSER", "rotated", ">first");
    await eventually("it goes on by itself", async () =>
      queue.add(3).then(
        ({ added }) => added,
        () => false,
      ),
    );
  });

  test("a primary that becomes a replica refuses, and nothing was done", async () => {
    const demoted = await startValkey();
    const client = new Valkey({ host: demoted.host, port: demoted.port });
    const keyline = open({ host: demoted.host, port: demoted.port });
    const channel = keyline.channel("d", { history: { size: 10 } });
    await keyline.queue("demoted").add(1);
    await client.call("REPLICAOF", "127.0.0.1", "1");
    const refused = { code: "VALKEY_READ_ONLY", message: expect.stringContaining("nothing was") as string };
    await expect(keyline.queue("demoted").add(2)).rejects.toMatchObject(refused);
    // On its way to another connection it sends nothing.
    for (const send of [() => channel.publish(1), () => keyline.stream("s").append(1)])
      await expect(send()).rejects.toMatchObject({ ...refused, code: expect.stringMatching(/VALKEY_(READ_ONLY|UNAVAILABLE)/) as string });
    await client.call("REPLICAOF", "NO", "ONE");
    await keyline.queue("demoted").add(3);
    expect((await keyline.queue("demoted").counts()).waiting).toBe(2);
    client.disconnect();
    await keyline.close();
    await demoted.stop();
  });
});

describe("TLS", () => {
  let folder: string;
  let secure: EmbeddedValkey;
  let tlsPort: number;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "keyline-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject], {
      stdio: "ignore",
    });
    const probe = await startValkey();
    tlsPort = probe.port;
    await probe.stop();
    const config = { "tls-port": String(tlsPort), "tls-cert-file": cert, "tls-key-file": key, "tls-auth-clients": "no" };
    secure = await startValkey({ config });
  });
  afterAll(async () => {
    await secure.stop();
    rmSync(folder, { recursive: true });
  });

  test("that the port does not speak", async () => {
    await expectFault(open({ ...address(), tls: true }), "TLS_FAILED", /speaks without/);
  });

  test("that the port speaks, where it was not asked for", async () => {
    await expectFault(open({ host: "127.0.0.1", port: tlsPort }), "TLS_FAILED", /speaks TLS/);
  });

  test("with a certificate that nobody vouches for", async () => {
    await expectFault(open({ host: "127.0.0.1", port: tlsPort, tls: true }), "TLS_FAILED", /self-signed/);
  });

  test("with a certificate that is accepted works", async () => {
    await open({ host: "127.0.0.1", port: tlsPort, tls: { rejectUnauthorized: false } })
      .queue("q")
      .add(1);
  });
});
