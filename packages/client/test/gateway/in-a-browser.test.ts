import { openBrowser } from "@keyline/look/testing";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openGateway, signToken } from "../../../gateway/test/support/gateway.ts";
import { openEmptyPage } from "../../../gateway/test/support/page.ts";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { connect } from "../../src/index.ts";
import { buildClient } from "../support/bundle.ts";
import { PlainProxy } from "../support/plain-proxy.ts";

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

interface Seen {
  readonly data: unknown[];
  readonly errors: string[];
}

test("a page of another origin, behind a proxy without WebSocket, gets and sends everything over its six connections", async () => {
  const chunks = await buildClient();
  const [entry = ""] = [...chunks].find(([, { isEntry }]) => isEntry) ?? [];
  const scripts = new Map([...chunks].map(([name, { code }]) => [`/${name}`, code]));
  const { page, origin } = await openEmptyPage(browser, scripts);
  const keyline = stage.keyline();
  const names = Array.from({ length: 20 }, (_, n) => `channel-${n}`);
  const gateway = await openGateway({
    keyline,
    channels: (name) => ({ channel: keyline.channel(name, { history: {} }), access: "token" }),
    streams: (name) => ({ stream: keyline.stream(name), access: "token" }),
    origins: [origin],
  });
  onTestFinished(() => gateway.close());
  const proxy = await PlainProxy.start(gateway.url);
  await page.exposeFunction("fetchToken", () => {
    return signToken({ channels: { subscribe: ["*"], publish: ["*"] }, streams: { read: ["*"], append: ["*"] } });
  });
  // An import of the page's own: what a test imports is rewritten.
  await page.addScriptTag({ type: "module", content: `import * as client from "/${entry}"; globalThis.client = client;` });
  await page.waitForFunction(() => "client" in globalThis);
  await page.evaluate(
    async ({ url, channels }) => {
      interface Given {
        readonly client: { readonly connect: typeof connect };
        readonly fetchToken: () => Promise<string>;
      }
      const { client, fetchToken } = globalThis as unknown as Given;
      const live = client.connect(url, { token: fetchToken });
      const seen: Seen = { data: [], errors: [] };
      Object.assign(globalThis, { live, seen });
      live.on("error", ({ code }) => void seen.errors.push(code));
      const subscriptions = channels.map((name) => live.subscribe(name, ({ data }) => void seen.data.push(data)));
      const followings = ["events-1", "events-2"].map((name) => live.stream(name).follow(({ data }) => void seen.data.push(data)));
      await Promise.all([...subscriptions, ...followings].map(({ ready }) => ready));
      for (const name of channels) await live.publish(name, name);
      await live.stream("events-1").append("one");
      await live.stream("events-2").append("two");
    },
    { url: proxy.url, channels: names },
  );
  const seen = (): Promise<Seen> => page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);
  await eventually("all have come", async () => (await seen()).data.length === names.length + 2);
  expect(new Set((await seen()).data)).toEqual(new Set([...names, "one", "two"]));
  expect((await seen()).errors).toEqual(["WEBSOCKET_UNAVAILABLE"]);

  proxy.passesUpgrades = true;
  await eventually("a WebSocket takes over", async () => {
    await page.evaluate(() => dispatchEvent(new Event("online")));
    return gateway.gateway.connections === 1;
  });
  await keyline.channel("channel-0").publish("over a WebSocket");
  await eventually("it comes", async () => (await seen()).data.includes("over a WebSocket"));
});
