/*
 * DESIGN. Stands in for a WebSocket where none gets through: it takes the same frames, and brings the same ones. What is subscribed and followed
 * comes by event streams, what is published and appended goes by requests; presence needs a WebSocket, and waits for one.
 *
 * A browser opens six connections to a server that has no HTTP/2. So channels share streams: those asked for in one turn come in one, and when
 * there would be more than two all are asked for anew in as few as possible, each from where it is. Each stream of entries needs its own.
 *
 * What breaks ends the whole link, so that one place decides when to try again; what is refused is an answer to what was asked.
 */
import type { Environment } from "../runtime/environment.ts";
import { readEvents, type StreamEvent } from "./event-reader.ts";
import type { Answers, ClientFrame, FrameOf, ServerFrame } from "./frames.ts";
import { closeCodeOf, GatewayRequests, type Problem } from "./gateway-requests.ts";
import type { Link, LinkEnd, Payload } from "./link.ts";
import { beginningOf, endOf, groupsOf, keyOf, pathOf, type Named, type Target } from "./target.ts";

interface EventLinkParts {
  /** Ends with a slash. */
  readonly url: string;
  readonly environment: Environment;
  onFrame(frame: ServerFrame): void;
  onProbe(): void;
}

/** A gateway says more than a client is told. */
type EndCode = Problem["code"] | "RENEW";

const mostChannelStreams = 2;
// Half of what a gateway takes in one stream, unless it was told otherwise.
const mostTogether = 50;
// Four heartbeats of a gateway.
const longestSilenceMs = 60_000;

export class EventLink implements Link {
  readonly #parts: EventLinkParts;
  readonly #targets = new Map<string, Target>();
  readonly #streams = new Map<AbortController, readonly Target[]>();
  readonly #ended = Promise.withResolvers<LinkEnd>();
  readonly #requests: GatewayRequests;
  readonly hello = Promise.resolve();
  readonly ended = this.#ended.promise;
  #waiting: Target[] = [];
  #mostTogether = mostTogether;
  #isEnded = false;

  constructor(parts: EventLinkParts) {
    this.#parts = parts;
    this.#requests = new GatewayRequests({ ...parts, onEnd: (code) => this.end(code) });
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  send(frame: ClientFrame): void {
    if (this.#isEnded) return;
    if (frame.type === "subscribe" || frame.type === "follow") {
      const target = { frame, place: "after" in frame ? frame.after : frame.since };
      this.#drop(frame);
      this.#targets.set(keyOf(frame), target);
      this.#begin([target]);
    } else if (frame.type === "unsubscribe" || frame.type === "unfollow") {
      this.#drop(frame);
      this.#parts.onFrame({ ...frame, type: `${frame.type}${"channel" in frame ? "d" : "ed"}`, code: null } as ServerFrame);
    }
  }

  async request<Type extends keyof Answers>(frame: FrameOf<Type>, payload?: Payload): Promise<Answers[Type]> {
    return (await this.#requests.answer(frame, payload?.json)) as Answers[Type];
  }

  probe(): void {
    this.#parts.onProbe();
  }

  end(code: number, retryMs?: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const stop of this.#streams.keys()) stop.abort();
    this.#requests.stop();
    this.#ended.resolve({ code, retryMs });
  }

  #drop(frame: Named): void {
    this.#targets.delete(keyOf(frame));
    for (const [stop, targets] of this.#streams) if (!targets.some((target) => this.#isWanted(target))) this.#close(stop);
  }

  #isWanted(target: Target): boolean {
    return !this.#isEnded && this.#targets.get(keyOf(target.frame)) === target;
  }

  /** What is asked for in the same turn begins together. */
  #begin(targets: readonly Target[]): void {
    if (this.#waiting.length === 0) queueMicrotask(() => this.#open());
    this.#waiting.push(...targets);
  }

  #open(): void {
    let targets = this.#waiting.filter((target) => this.#isWanted(target));
    this.#waiting = [];
    const open = [...this.#streams].filter(([, [first]]) => first && "channel" in first.frame);
    const more = groupsOf(targets, this.#mostTogether).filter(([first]) => first && "channel" in first.frame);
    if (open.length > 0 && more.length > 0 && open.length + more.length > mostChannelStreams) {
      for (const [stop] of open) this.#close(stop);
      targets = [...targets, ...open.flatMap(([, others]) => others.filter((target) => this.#isWanted(target)))];
    }
    for (const group of groupsOf(targets, this.#mostTogether)) void this.#run(group);
  }

  async #run(targets: readonly Target[]): Promise<void> {
    const stop = new AbortController();
    this.#streams.set(stop, targets);
    let cancel: (() => void) | undefined;
    const heard = (): void => {
      cancel?.();
      cancel = this.#parts.environment.after(longestSilenceMs, () => this.end(1006));
    };
    stop.signal.addEventListener("abort", () => cancel?.());
    heard();
    try {
      const response = await this.#requests.send(pathOf(targets), { signal: stop.signal });
      const problem = await this.#requests.problemOf(response);
      if (problem) {
        this.#close(stop);
        await this.#refuse(targets, problem);
      } else if (response.body && /event-stream/.test(response.headers.get("content-type") ?? "")) {
        await this.#read(readEvents(response.body, heard), targets, stop);
      }
    } catch {
      // As for a stream that ends without a word.
    }
    if (stop.signal.aborted) return;
    this.#close(stop);
    this.end(1006);
  }

  #close(stop: AbortController): void {
    this.#streams.delete(stop);
    stop.abort();
  }

  async #read(events: AsyncIterable<StreamEvent>, targets: readonly Target[], stop: AbortController): Promise<void> {
    let isBegun = false;
    for await (const event of events) {
      if (stop.signal.aborted) return;
      const places = event.id.split(",");
      targets.forEach((target, index) => (target.place = places[index] || undefined));
      if (!isBegun) for (const target of targets) this.#tell(target, beginningOf(target));
      isBegun = true;
      if (event.name === "end") return this.#part(targets, event, stop);
      this.#handOver(targets, event);
    }
  }

  #handOver(targets: readonly Target[], { name, data, id }: StreamEvent): void {
    const content = name ? (JSON.parse(data) as { readonly channel?: string }) : {};
    for (const target of targets) {
      const { frame, place } = target;
      if (frame.type === "follow") this.#tell(target, { type: name || "passed", id, ...content });
      else if (frame.channel === content.channel) this.#tell(target, { type: name, ...content, cursor: place ?? null });
    }
  }

  /** The gateway has ended a stream, and says why. */
  #part(targets: readonly Target[], { data, retryMs }: StreamEvent, stop: AbortController): void {
    const { code } = JSON.parse(data) as { readonly code: EndCode };
    this.#close(stop);
    if (code === "RENEW") this.#begin(targets);
    else if (code === "SLOW_RECEIVER") for (const target of targets) this.#tell(target, endOf(target, code));
    else this.end(closeCodeOf(code), retryMs);
  }

  /** Which of several is refused is found by asking for each alone. */
  async #refuse(targets: readonly Target[], problem: Problem): Promise<void> {
    const [first] = targets;
    if (first && targets.length === 1) return this.#tell(first, { type: "error", ...problem });
    const granted: Target[] = [];
    for (const target of targets) {
      const stop = new AbortController();
      const own = await this.#requests.problemOf(await this.#requests.send(pathOf([target]), { signal: stop.signal }));
      stop.abort();
      if (own) this.#tell(target, { type: "error", ...own });
      else granted.push(target);
    }
    // Together they were too many.
    if (granted.length === targets.length) this.#mostTogether = Math.ceil(targets.length / 2);
    this.#begin(granted);
  }

  #tell(target: Target, content: object): void {
    const { frame } = target;
    const name = "channel" in frame ? { channel: frame.channel } : { stream: frame.stream };
    if (this.#isWanted(target)) this.#parts.onFrame({ ...name, sub: frame.sub, ...content } as ServerFrame);
  }
}
