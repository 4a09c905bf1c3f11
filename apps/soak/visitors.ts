import { setTimeout as sleep } from "node:timers/promises";
import { vanish } from "./vanishing.ts";

const pages = ["/", "/shop", "/feed", "/reviews", "/api/shop/orders", "/api/reviews", "/healthz"];
const visitSocketMs = 5_000;
/** By then the gateway has given up a WebSocket that answers nothing. */
const vanishedMs = 70_000;

/** Browsers that come and go: they order, post and review, read pages, and stay on event streams and WebSockets for some seconds. Some vanish without closing. */
export class Visitors {
  readonly #address: string;
  readonly #counts = new Map<string, number>();
  #visits: Promise<void>[] = [];
  readonly #end = Promise.withResolvers<void>();
  #isOver = false;

  constructor(address: string) {
    this.#address = address;
  }

  begin(): void {
    for (let visitor = 0; visitor < 10; visitor++) {
      this.#come(200, () => this.#listen("/v1/channels/tech_news/messages"));
      this.#come(200, () => this.#talk());
    }
    for (let visitor = 0; visitor < 5; visitor++) this.#come(200, () => this.#listen("/v1/streams/Reviews/events?after=0-0"));
    for (let visitor = 0; visitor < 3; visitor++) {
      this.#come(500, () => this.#vanish("event stream"));
      this.#come(500, () => this.#vanish("WebSocket"));
      this.#come(500, () => this.#order());
    }
    this.#come(700, () => this.#post());
    this.#come(1_500, () => this.#review());
    this.#come(1_000, () => this.#browse());
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#end.resolve();
    await Promise.all(this.#visits);
  }

  describe(): string {
    return [...this.#counts].map(([what, count]) => `${what} ${count}`).join(", ");
  }

  #come(pauseMs: number, visit: () => Promise<void>): void {
    this.#visits.push(
      (async () => {
        while (!this.#isOver) {
          await visit().catch((error: unknown) => this.#count(`error ${error instanceof Error ? error.message : String(error)}`));
          await sleep(pauseMs * (0.5 + Math.random()));
        }
      })(),
    );
  }

  async #order(): Promise<void> {
    this.#count(`order ${(await this.#send("/api/shop/orders", { details: "a lamp" })).status}`);
  }

  async #post(): Promise<void> {
    const post = { author: "ada", content: `hello ${Math.random()}` };
    this.#count(`post ${(await this.#send("/api/feed/channels/tech_news/posts", post)).status}`);
  }

  async #review(): Promise<void> {
    const answer = await this.#send("/api/reviews", { userId: "ada", content: `good ${Math.random()}` });
    this.#count(`review ${answer.status}`);
    if (!answer.ok) return;
    const { reviewId } = (await answer.json()) as { reviewId: string };
    const reaction = { userId: "bob", action: "reaction", content: "👍" };
    this.#count(`reaction ${(await this.#send(`/api/reviews/${reviewId}/reactions`, reaction)).status}`);
  }

  async #browse(): Promise<void> {
    for (const page of pages) {
      const answer = await fetch(this.#address + page);
      await answer.text();
      this.#count(`page ${answer.status}`);
    }
  }

  async #listen(path: string): Promise<void> {
    const leave = AbortSignal.timeout(Math.round(500 + Math.random() * visitSocketMs));
    try {
      const answer = await fetch(this.#address + path, { headers: { accept: "text/event-stream" }, signal: leave });
      this.#count(`event stream ${answer.status}`);
      await answer.body?.pipeTo(new WritableStream(), { signal: leave });
    } catch (error) {
      if (!leave.aborted) throw error;
    }
  }

  async #talk(): Promise<void> {
    const socket = new WebSocket(`${this.#address.replace("http", "ws")}/v1/ws`);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error("WebSocket refused")));
    });
    this.#count("WebSocket open");
    socket.send(JSON.stringify({ type: "subscribe", id: 1, channel: "tech_news" }));
    await sleep(500 + Math.random() * visitSocketMs);
    socket.close();
  }

  async #vanish(what: "event stream" | "WebSocket"): Promise<void> {
    const visit = vanish(this.#address, what, vanishedMs);
    this.#count(await Promise.race([visit, this.#end.promise.then(() => `${what} that has vanished, to the end`)]));
  }

  #send(path: string, body: unknown): Promise<Response> {
    const headers = { "content-type": "application/json", origin: this.#address };
    return fetch(this.#address + path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
}
