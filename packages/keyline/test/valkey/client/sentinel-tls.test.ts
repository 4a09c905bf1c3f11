import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server } from "node:tls";
import { startValkey, startValkeySentinel, type EmbeddedValkey, type EmbeddedValkeySentinel } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder: string;
let group: EmbeddedValkeySentinel;
let secure: EmbeddedValkey;
let door: Server;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "keyline-sentinel-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  const probe = await startValkey();
  const tlsPort = probe.port;
  await probe.stop();
  secure = await startValkey({
    config: { "tls-port": String(tlsPort), "tls-cert-file": cert, "tls-key-file": key, "tls-auth-clients": "no" },
  });
  group = await startValkeySentinel();
  const port = group.sentinels[0]?.port ?? 0;
  const asking = new Valkey({ host: "127.0.0.1", port });
  await asking.call("SENTINEL", "MONITOR", "secure", "127.0.0.1", String(tlsPort), "2");
  asking.disconnect();
  // A sentinel that takes nothing but TLS.
  door = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    const sentinel = connect({ host: "127.0.0.1", port });
    const ends = [socket, sentinel];
    for (const end of ends) end.on("error", () => undefined).on("close", () => ends.map((each) => each.destroy()));
    socket.pipe(sentinel).pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(door, "listening");
});

afterAll(async () => {
  door.close();
  await Promise.all([secure.stop(), group.stop()]);
  rmSync(folder, { recursive: true });
});

const tls = { rejectUnauthorized: false };

test("sentinels, and the primary that they name, are spoken to by TLS where it is asked for", async () => {
  const sentinels = [{ host: "127.0.0.1", port: (door.address() as AddressInfo).port }];
  const keyline = new Keyline({ valkey: { sentinels, name: "secure", tls }, prefix: "s" });
  await keyline.queue("encrypted").add(1);
  const asking = new Valkey({ host: "127.0.0.1", port: secure.port });
  expect(await asking.llen("s:{encrypted}:waiting")).toBe(1);
  asking.disconnect();
  await keyline.close();
});

test("and where they do not speak it nothing is said in clear text", async () => {
  const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }));
  const keyline = new Keyline({ valkey: { sentinels, name: group.name, tls }, prefix: "s" });
  await expect(keyline.queue("clear").add(1)).rejects.toMatchObject({ code: "VALKEY_UNAVAILABLE" });
  await keyline.close();
});
