import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { Browser, Page } from "playwright-core";

/** What a page's EventSource has brought, in its order. */
export interface Seen {
  readonly name: string;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  readonly state: number;
}

/** A page that has nothing on it, at an address of its own, which also serves these scripts. */
export async function openEmptyPage(
  browser: Browser,
  scripts: ReadonlyMap<string, string> = new Map(),
): Promise<{ readonly page: Page; readonly origin: string }> {
  const server = createServer(({ url = "" }, response) => {
    const script = scripts.get(url);
    response.setHeader("content-type", script === undefined ? "text/html" : "text/javascript");
    response.end(script ?? "<!doctype html><title>page</title>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const context = await browser.newContext();
  onTestFinished(async () => {
    await context.close();
    server.closeAllConnections();
    server.close();
  });
  const page = await context.newPage();
  await page.goto(origin);
  return { page, origin };
}

/** The browser's own EventSource, and what it has brought so far. */
export class PageEventSource {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  static async open(page: Page, url: string): Promise<PageEventSource> {
    await page.evaluate((address) => {
      const seen: Seen[] = [];
      const source = new EventSource(address);
      Object.assign(globalThis, { seen, source });
      for (const name of ["open", "message", "entry", "gap", "end", "error"]) {
        source.addEventListener(name, (event: Event & { readonly data?: string }) => {
          seen.push({
            name,
            state: source.readyState,
            ...(event.data === undefined ? {} : { data: JSON.parse(event.data) as Record<string, unknown> }),
          });
        });
      }
    }, url);
    return new PageEventSource(page);
  }

  seen(name: string): Promise<Seen[]> {
    return this.#page.evaluate((wanted) => (globalThis as unknown as { seen: Seen[] }).seen.filter((event) => event.name === wanted), name);
  }

  /** Resolves when `count` events of this name have come; throws when it has given up for good before. */
  async receive(name: string, count = 1): Promise<Seen[]> {
    await this.#page.waitForFunction(
      ([wanted, least]) => {
        const { seen, source } = globalThis as unknown as { seen: Seen[]; source: EventSource };
        return seen.filter((event) => event.name === wanted).length >= least || source.readyState === EventSource.CLOSED;
      },
      [name, count] as const,
    );
    const events = await this.seen(name);
    if (events.length < count) throw new Error(`The EventSource gave up after ${events.length} of ${count} events ${name}`);
    return events;
  }

  /** Resolves when it has given up for good. */
  async closed(): Promise<void> {
    await this.#page.waitForFunction(() => (globalThis as unknown as { source: EventSource }).source.readyState === EventSource.CLOSED);
  }

  async data(count: number): Promise<unknown[]> {
    return (await this.receive("message", count)).map(({ data }) => data?.["data"]);
  }
}
