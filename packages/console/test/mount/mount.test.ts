import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve, type ServerType } from "@hono/node-server";
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { createConsole, mountExpress, mountFastify, mountHono, mountNode, type Console } from "../../src/index.ts";
import { secret, signToken } from "../support/console-server.ts";
import { openLive } from "../support/live-events.ts";

interface Mounted {
  readonly origin: string;
  close(): Promise<unknown>;
}

const pageFolder = mkdtempSync(join(tmpdir(), "keyline-console-page-"));
let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  mkdirSync(join(pageFolder, "assets"));
  writeFileSync(
    join(pageFolder, "index.html"),
    '<!doctype html><head><base href="./" /><script type="module" src="./assets/main-1a2b.js"></script></head>',
  );
  writeFileSync(join(pageFolder, "assets", "main-1a2b.js"), "export {};");
  writeFileSync(join(pageFolder, "icon.svg"), "<svg/>");
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  await keyline.queue("mails").add({ to: "a" });
});
afterAll(async () => {
  await stage.close();
  rmSync(pageFolder, { recursive: true, force: true });
});

const originOf = (server: { address(): unknown }): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const servers: Record<string, { readonly path: string; mount(console: Console): Promise<Mounted> }> = {
  Fastify: {
    path: "/ops/keyline",
    mount: async (console) => {
      const app = fastify({ bodyLimit: 64 });
      app.addHook("onRequest", (_request, reply, done) => {
        reply.headers({ "content-security-policy": "default-src 'self'; base-uri 'none'", "x-own": "yes" });
        done();
      });
      app.post("/own", (request) => ({ got: request.body }));
      await app.register(async (scope) => mountFastify(scope, console, { path: "/keyline" }), { prefix: "/ops" });
      await app.listen({ port: 0, host: "127.0.0.1" });
      return {
        origin: originOf(app.server),
        close: () => {
          const closing = app.close();
          // Those that the tests' client has opened ahead.
          app.server.closeAllConnections();
          return closing;
        },
      };
    },
  },
  "Express 5": {
    path: "/admin/jobs",
    mount: async (console) => {
      const app = express();
      const router = express.Router();
      mountExpress(router, console, { path: "/jobs" });
      app.use("/admin", router);
      app.use(express.json());
      app.post("/own", (request, response) => void response.json({ got: request.body as unknown }));
      const server = app.listen(0, "127.0.0.1");
      await once(server, "listening");
      return {
        origin: originOf(server),
        close: async () => {
          server.close();
          server.closeAllConnections();
        },
      };
    },
  },
  Hono: {
    path: "/hono",
    mount: async (console) => {
      const app = new Hono();
      mountHono(app, console, { path: "/hono" });
      app.post("/own", async (context) => context.json({ got: await context.req.json<unknown>() }));
      const server = await new Promise<ServerType>((resolve) => {
        const opened = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => resolve(opened));
      });
      return {
        origin: originOf(server),
        close: async () => {
          server.close();
          if ("closeAllConnections" in server) server.closeAllConnections();
        },
      };
    },
  },
  "node:http": {
    path: "/a/b/c",
    mount: async (console) => {
      const answer = mountNode(console, { path: "/a/b/c/" });
      const server = createServer((request, response) => {
        if (answer(request, response)) return;
        response.setHeader("content-type", "application/json");
        void request.toArray().then((chunks) => response.end(`{"got":${Buffer.concat(chunks as Buffer[]).toString() || "null"}}`));
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return {
        origin: originOf(server),
        close: async () => {
          server.close();
          server.closeAllConnections();
        },
      };
    },
  },
};

/** On a connection of its own, as some servers close one on which they did not read all. */
function statusOfLarge(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: "POST", headers, agent: false }, (answer) => resolve(answer.resume().statusCode ?? 0));
    request.on("error", reject).end(`"${"x".repeat(3_000_000)}"`);
  });
}

describe.each(Object.entries(servers))("in %s", (_name, { path, mount }) => {
  let mounted: Mounted & { readonly console: Console };
  let headers: Record<string, string>;
  beforeAll(async () => {
    const console = createConsole({ keyline, access: { secret }, pageFolder });
    mounted = { console, ...(await mount(console)) };
    headers = { authorization: `Bearer ${await signToken({ console: "operator" })}`, "content-type": "application/json" };
  });
  afterAll(() => mounted.close());

  test("serves the page with its base for every path that is no file, under a policy without inline scripts", async () => {
    for (const place of ["", "/", "/queues/mails/jobs?state=dead", "/queues/api"]) {
      const answer = await fetch(`${mounted.origin}${path}${place}`);
      expect(answer.status, place).toBe(200);
      expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(answer.headers.get("cache-control")).toBe("no-cache");
      expect(answer.headers.get("content-security-policy")).toContain("default-src 'self'; style-src 'self' 'unsafe-inline'");
      expect(answer.headers.get("content-security-policy")).toContain("base-uri 'self'");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(await answer.text()).toContain(`<base href="${path}/" />`);
    }
    const asset = await fetch(`${mounted.origin}${path}/assets/main-1a2b.js`);
    expect(asset.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(asset.headers.get("cache-control")).toContain("immutable");
    expect((await fetch(`${mounted.origin}${path}/icon.svg`)).headers.get("cache-control")).toBe("no-cache");
    for (const place of ["/assets/old-1.js", "/assets/..%2f..%2fpackage.json"]) {
      expect((await fetch(`${mounted.origin}${path}${place}`)).status, place).toBe(404);
    }
  });

  test("answers the API, takes what is sent, and leaves the rest of the server alone", async () => {
    const queue = await fetch(`${mounted.origin}${path}/api/queues/mails`, { headers });
    expect(await queue.json()).toMatchObject({ name: "mails", counts: { waiting: 1 } });
    const data = { text: "x".repeat(100_000) };
    const added = await fetch(`${mounted.origin}${path}/api/queues/mails/add`, { method: "POST", headers, body: JSON.stringify({ data }) });
    const { id } = (await added.json()) as { id: string };
    expect(await keyline.queue("mails").cancel(id)).toBe("waiting");
    expect((await fetch(`${mounted.origin}${path}x`, { headers })).headers.get("content-security-policy") ?? "").not.toContain(
      "object-src",
    );
    const own = await fetch(`${mounted.origin}/own`, { method: "POST", headers, body: '{"a":1}' });
    expect(await own.json()).toEqual({ got: { a: 1 } });
    expect((await fetch(`${mounted.origin}${path}/api/me`, { method: "HEAD", headers })).status).toBe(200);
    expect((await fetch(`${mounted.origin}${path}/api/me`, { method: "PUT", headers, body: "{}" })).status).toBe(405);
    expect((await fetch(`${mounted.origin}${path}/api/nothing`, { headers })).status).toBe(404);
    expect((await fetch(`${mounted.origin}${path}/api/queues/%E0%A4`, { headers })).status).toBe(400);
    expect(await statusOfLarge(`${mounted.origin}${path}/api/queues/mails/add`, headers)).toBe(413);
  });

  test("has an event stream that ends when nobody reads it, and with the console", async () => {
    const token = headers["authorization"]?.slice("Bearer ".length) ?? "";
    const live = await openLive(`${mounted.origin}${path}`, "queue:mails", token);
    const { data } = await live.find("the queue came", ({ type }) => type === "change");
    expect(data).toMatchObject({ kind: "queue", topic: "queue:mails", data: { name: "mails" } });
    live.close();
    await eventually("it is over", live.isOver);
    const other = await openLive(`${mounted.origin}${path}`, "tasks", token);
    await mounted.console.close();
    expect((await other.find("it was ended", ({ type }) => type === "end")).data).toEqual({ code: "CLOSED" });
    await eventually("nothing more comes", other.isOver);
  });
});

test("refuses paths that are none", () => {
  const console = createConsole({ keyline, access: "loopback" });
  for (const path of ["", "/", "console", "/a b", "//a", "/a//b", '/"', undefined as unknown as string]) {
    expect(() => mountNode(console, { path }), path).toThrow("mounted at a path");
  }
});
