import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buildPackagePage } from "@keyline/look/build";
import { SignJWT } from "jose";
import type { Keyline } from "keyline";
import { expect } from "vitest";
import { eventually, openStage, type Stage } from "../../../../keyline/test/support/stage.ts";
import { createConsole, mountNode, type ConsoleOptions } from "../../../src/index.ts";

/** A console on stores of its own, behind a real server, as one that is mounted below a path. */
export interface OpenConsole {
  readonly stage: Stage;
  readonly keyline: Keyline;
  /** Where the page is, without a slash at the end. */
  readonly url: string;
  /** What the server logged as errors. */
  readonly errors: readonly string[];
  /** Resolves when the console has heard of a queue, a stream or a channel, as of `/queues/mails/jobs`: it looks for new ones every other second. */
  knows(path: string, token?: string): Promise<void>;
  /** Takes no more requests and cuts those that go on, until `restart`. */
  halt(): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

const path = "/some/where/console";

export async function openConsole(
  options: Partial<ConsoleOptions> = {},
  servers: { readonly valkeyUrl?: string; readonly postgresUrl?: string } = {},
): Promise<OpenConsole> {
  const [stage, pageFolder] = await Promise.all([openStage(servers), buildPackagePage("@keyline/console")]);
  const keyline = stage.keyline();
  await keyline.migrate();
  const errors: string[] = [];
  const silent = (): void => undefined;
  const logger = {
    debug: silent,
    info: silent,
    warn: silent,
    error: (details: object, text: string) => void errors.push(`${text} ${JSON.stringify(details)}`),
  };
  const operations = createConsole({ keyline, access: "loopback", pageFolder, logger, ...options });
  const answer = mountNode(operations, { path });
  let server = await listen(answer, 0);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}${path}`;
  return {
    stage,
    keyline,
    url,
    errors,
    knows: (view, token = "") => {
      const [, thing] = /^\/((?:queues|streams|channels)\/[^/?]+)/.exec(view) ?? [];
      const headers = { authorization: `Bearer ${token}` };
      return eventually(
        `the console knows ${view}`,
        async () => thing === undefined || (await fetch(`${url}/api/${thing}`, { headers })).ok,
      );
    },
    halt: () => end(server),
    restart: async () => {
      server = await listen(answer, port);
    },
    close: async () => {
      await operations.close();
      await end(server);
      await stage.close();
    },
  };
}

async function listen(answer: ReturnType<typeof mountNode>, port: number): Promise<Server> {
  const server = createServer((request, response) => void (answer(request, response) || response.writeHead(404).end()));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}

async function end(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

export const secret = "a secret of at least thirty-two bytes, for tests";

export async function tokenOf(
  role: "operator" | "viewer",
  { seconds = 600, name = `${role}@example.com` }: { readonly seconds?: number; readonly name?: string } = {},
): Promise<string> {
  const token = new SignJWT({ console: role }).setProtectedHeader({ alg: "HS256" }).setSubject(name);
  return token.setExpirationTime(Math.floor(Date.now() / 1_000) + seconds).sign(new TextEncoder().encode(secret));
}

/** Asks until it is so: a machine that does other work takes its time. */
export function poll<Value>(ask: () => Value): ReturnType<typeof expect.poll<Awaited<Value>>> {
  return expect.poll<Awaited<Value>>(ask as () => Awaited<Value>, { timeout: 25_000 });
}
