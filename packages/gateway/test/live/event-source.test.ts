import { readFileSync } from "node:fs";
import { startValkey } from "@keyline/embedded";
import { openBrowser } from "@keyline/look/testing";
import { Keyline } from "keyline";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { startWireProxy, targetOf } from "../../../keyline/test/support/wire-proxy.ts";
import type { StandaloneGateway, StandaloneOptions } from "../../src/index.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";
import { SocketReader } from "../support/socket.ts";
import { openEmptyPage, PageEventSource } from "../support/page.ts";

// A browser's own EventSource gives up for good on every answer but 200, and tells its page nothing of why.

let stage: Stage;
let browser: Browser;
beforeAll(async () => {
  stage = await openStage();
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  await stage.close();
});

const path = "/v1/channels/private/messages";
const channels = { subscribe: ["private"] };

async function ticketAt(url: string, claims: object = {}): Promise<string> {
  const headers = bearer(await signToken({ channels, streams: { read: ["*"] }, ...claims }));
  const { body } = await request(`${url}/v1/tickets`, { method: "POST", headers });
  return String(body["ticket"]);
}

interface Scene {
  readonly page: Page;
  readonly gateway: StandaloneGateway;
  readonly options: StandaloneOptions;
}

/** A page, and a gateway that it may use, with one channel for tokens. */
async function open(keyline: Keyline, options: Partial<StandaloneOptions> = {}): Promise<Scene> {
  const { page, origin } = await openEmptyPage(browser);
  const exposures = [{ channel: keyline.channel("private", { history: {} }), access: "token" }] as const;
  const all: StandaloneOptions = { keyline, channels: exposures, origins: [origin], ...options };
  const gateway = await openGateway(all);
  onTestFinished(() => gateway.close());
  return { page, gateway, options: all };
}

/** Another gateway at the same address. */
async function reopen({ gateway, options }: Scene, more: Partial<StandaloneOptions> = {}): Promise<StandaloneGateway> {
  const port = Number(new URL(gateway.url).port);
  const again = await openGateway({ ...options, ...more, port });
  onTestFinished(() => again.close());
  return again;
}

describe("an EventSource with a ticket", () => {
  test("gets what it missed after each connection that breaks", async () => {
    const keyline = stage.keyline();
    const { page, gateway } = await open(keyline);
    const proxy = await startWireProxy({ target: targetOf(gateway.url) });
    onTestFinished(() => proxy.stop());
    const source = await PageEventSource.open(page, `http://127.0.0.1:${proxy.port}${path}?ticket=${await ticketAt(gateway.url)}`);
    await source.receive("open");
    for (const n of [1, 2]) {
      proxy.cutAll();
      await keyline.channel("private").publish(n);
      expect(await source.data(n)).toEqual([1, 2].slice(0, n));
    }
  });

  test("outlives a gateway that restarts", async () => {
    const keyline = stage.keyline();
    const scene = await open(keyline);
    const source = await PageEventSource.open(scene.page, `${scene.gateway.url}${path}?ticket=${await ticketAt(scene.gateway.url)}`);
    await source.receive("open");
    await keyline.channel("private").publish("before");
    await source.receive("message");
    await scene.gateway.close();
    await keyline.channel("private").publish("between");
    await reopen(scene);
    await keyline.channel("private").publish("after");
    expect(await source.data(3)).toEqual(["before", "between", "after"]);
    expect((await source.seen("end")).map(({ data }) => data)).toContainEqual({ code: "DRAINING" });
  });

  test("that comes to a gateway while it drains comes again until it is let in", async () => {
    const keyline = stage.keyline();
    const scene = await open(keyline);
    const ticket = await ticketAt(scene.gateway.url);
    await scene.gateway.gateway.drain();
    const source = await PageEventSource.open(scene.page, `${scene.gateway.url}${path}?ticket=${ticket}`);
    expect((await source.receive("end", 2)).map(({ data }) => data)).toEqual([{ code: "DRAINING" }, { code: "DRAINING" }]);
    await scene.gateway.close();
    await reopen(scene);
    await source.receive("open", 3);
    await eventually("it is let in", async () => {
      await keyline.channel("private").publish("inside");
      return (await source.seen("message")).length > 0;
    });
  });

  test("that comes to a gateway while that closes comes again until it is let in", async () => {
    const keyline = stage.keyline();
    const asked = gate();
    const channel = keyline.channel("private", { history: {} });
    const scene = await open(keyline, {
      // An answer that never comes holds the gateway back while it closes.
      channels: (name) => {
        if (name === "private") return { channel, access: "token" };
        asked.open();
        return new Promise(() => undefined);
      },
    });
    const address = `${scene.gateway.url}${path}?ticket=${await ticketAt(scene.gateway.url)}`;
    const socket = await SocketReader.open(`${scene.gateway.url}/v1/ws`, bearer(await signToken()));
    socket.send({ type: "subscribe", channel: "stuck" });
    await asked.opened;
    const closed = scene.gateway.close();
    await socket.receive("draining");
    const source = await PageEventSource.open(scene.page, address);
    expect((await source.receive("end"))[0]?.data).toEqual({ code: "DRAINING" });
    await closed;
    await reopen(scene);
    await eventually("it is let in", async () => {
      await channel.publish("inside");
      return (await source.seen("message")).length > 0;
    });
  });

  test("waits for a Valkey that is away, and goes on where it was", async () => {
    const valkey = await startValkey({ persistence: true });
    const keyline = new Keyline({ valkey: valkey.url });
    onTestFinished(async () => {
      await keyline.close();
      await valkey.stop();
    });
    const { page, gateway } = await open(keyline);
    const proxy = await startWireProxy({ target: targetOf(gateway.url) });
    onTestFinished(() => proxy.stop());
    const source = await PageEventSource.open(page, `http://127.0.0.1:${proxy.port}${path}?ticket=${await ticketAt(gateway.url)}`);
    await source.receive("open");
    await keyline.channel("private").publish("before");
    await source.receive("message");
    await valkey.kill();
    proxy.cutAll();
    expect((await source.receive("end")).at(-1)?.data).toEqual({ code: "VALKEY_UNAVAILABLE" });
    await valkey.restart();
    await eventually("Valkey is back", () =>
      keyline
        .channel("private")
        .publish("after")
        .then(
          () => true,
          () => false,
        ),
    );
    expect((await source.data(2)).slice(0, 2)).toEqual(["before", "after"]);
  });

  test("whose token has ended is refused, and can tell", async () => {
    const { page, gateway } = await open(stage.keyline());
    const now = Math.floor(Date.now() / 1_000);
    const ticket = await ticketAt(gateway.url, { iat: now, exp: now + 8 });
    const source = await PageEventSource.open(page, `${gateway.url}${path}?ticket=${ticket}`);
    expect((await source.receive("end")).map(({ data }) => data)).toEqual([{ code: "TOKEN_EXPIRED" }]);
    await source.closed();
  });

  test("whose token was revoked is refused", async () => {
    const { page, gateway } = await open(stage.keyline());
    const source = await PageEventSource.open(page, `${gateway.url}${path}?ticket=${await ticketAt(gateway.url, { sub: "eve" })}`);
    await source.receive("open");
    await gateway.gateway.revoke({ sub: "eve" });
    expect((await source.receive("end")).map(({ data }) => data)).toEqual([{ code: "TOKEN_REVOKED" }]);
    await source.closed();
  });
});

describe("an EventSource whose place is none any more", () => {
  test("is told of a gap where the channel's history was lost, or is kept no more, and goes on", async () => {
    const keyline = stage.keyline();
    const scene = await open(keyline);
    const address = `${scene.gateway.url}${path}?ticket=${await ticketAt(scene.gateway.url)}`;
    const source = await PageEventSource.open(scene.page, address);
    await source.receive("open");
    await keyline.channel("private").publish("before");
    await source.receive("message");
    await scene.gateway.close();
    const keys = await stage.valkey.keys(`${stage.prefix}:*private*`);
    expect(keys.length).toBeGreaterThan(0);
    await stage.valkey.del(...keys);
    const second = await reopen(scene);
    await source.receive("open", 2);
    await keyline.channel("private").publish("after");
    expect(await source.data(2)).toEqual(["before", "after"]);
    expect((await source.seen("gap")).at(-1)?.data).toMatchObject({ channel: "private", reason: "lost" });

    // The same name, without a history.
    await second.close();
    const forgetful = stage.keyline();
    await reopen(scene, { keyline: forgetful, channels: [{ channel: forgetful.channel("private"), access: "token" }] });
    await source.receive("open", 3);
    await eventually("it is back", async () => {
      await forgetful.channel("private").publish("live");
      return (await source.data(2)).includes("live");
    });
    expect((await source.seen("gap")).at(-1)?.data).toMatchObject({ channel: "private", reason: "disconnected" });
  });
});

describe("the lines of the README for pages with tokens", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const lines =
    [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, text = ""]) => text).find((text) => text.includes("/v1/tickets")) ?? "";

  /** Runs them, for the channel `private`, and resolves with what they print. */
  async function run({ page, gateway }: Scene, claims: () => object): Promise<string[]> {
    const printed: string[] = [];
    page.on("console", (message) => {
      // What a browser says of an answer that was refused.
      if (message.type() === "log") printed.push(message.text());
    });
    await page.exposeFunction("fetchToken", () => signToken({ channels, ...claims() }));
    await page.addScriptTag({ content: lines.replaceAll("https://example.com", gateway.url).replaceAll("private_news", "private") });
    await eventually("it is open", () => gateway.gateway.connections === 1);
    return printed;
  }

  test("get another ticket when the token has ended, and miss nothing", async () => {
    const keyline = stage.keyline();
    const scene = await open(keyline);
    let tokens = 0;
    const printed = await run(scene, () => {
      const iat = Math.floor(Date.now() / 1_000);
      return { iat, exp: iat + (tokens++ === 0 ? 10 : 3_600) };
    });
    await keyline.channel("private").publish("before");
    await eventually("it is printed", () => printed.length === 1);
    await eventually("the token has ended", () => scene.gateway.gateway.connections === 0);
    await keyline.channel("private").publish("between");
    await eventually("another token was asked for", () => tokens === 2);
    await keyline.channel("private").publish("after");
    await eventually("all is printed", () => printed.length >= 3);
    expect(printed).toEqual(["before", "between", "after"]);
  });

  test("get another ticket where a Valkey without a disk has forgotten the first one, and tell what is lost", async () => {
    const valkey = await startValkey();
    const keyline = new Keyline({ valkey: valkey.url });
    onTestFinished(async () => {
      await keyline.close();
      await valkey.stop();
    });
    const scene = await open(keyline);
    const printed = await run(scene, () => ({}));
    await keyline.channel("private").publish("before");
    await eventually("it is printed", () => printed.length === 1);
    await scene.gateway.close();
    await valkey.restart();
    const again = await reopen(scene);
    await eventually("it is back", () => again.gateway.connections === 1);
    await eventually("Valkey is back", () =>
      keyline
        .channel("private")
        .publish("after")
        .then(
          () => true,
          () => false,
        ),
    );
    await eventually("it is printed", () => printed.includes("after"));
    expect(printed[0]).toBe("before");
    expect(printed.slice(1, -1).every((line) => line.startsWith("missed"))).toBe(true);
    expect(printed.length).toBeGreaterThanOrEqual(3);
  });
});
