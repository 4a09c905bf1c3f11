import { KeylineError, type Keyline } from "keyline";

async function first<Item>(items: AsyncIterable<Item>): Promise<Item | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** By what each reads. */
type Reads = ReadonlyMap<string, () => Promise<unknown>>;

/** The same each time: a stream is made once with its options. */
const rules = { key: (event: number): string => String(event) };

/** What a console, the command line and a scraper ask. */
export function readsOf(keyline: Keyline): Reads {
  const { directory, audit } = keyline;
  const reads = new Map<string, () => Promise<unknown>>([
    ["directory.queues", () => directory.queues()],
    ["directory.streams", () => directory.streams()],
    ["directory.channels", () => directory.channels()],
    ["health", () => keyline.health()],
    ["audit.list", () => first(audit.list())],
  ]);
  for (const transactional of [false, true]) {
    const kind = transactional ? "rows" : "plain";
    const queue = transactional ? keyline.queue<number>(kind, { transactional: true }) : keyline.queue<number>(kind);
    const stream = transactional ? keyline.stream<number>(kind, { transactional: true }) : keyline.stream<number>(kind);
    const keyed = transactional
      ? keyline.stream<number>("keyed-rows", { ...rules, transactional: true })
      : keyline.stream<number>("keyed", rules);
    const all: Record<string, () => Promise<unknown>> = {
      counts: () => queue.counts(),
      stores: () => queue.stores(),
      rates: () => queue.rates(),
      "rates by hours": () => queue.rates({ hours: 48 }),
      workers: () => queue.workers({ jobs: false }),
      jobs: () => first(queue.jobs({ state: "waiting" })),
      job: () => queue.job("unknown"),
      family: () => queue.family("unknown"),
      deadLetters: () => first(queue.deadLetters()),
      deadLetterCauses: () => queue.deadLetterCauses(),
      schedules: () => first(queue.schedules()),
      limits: () => queue.limits(),
      groups: () => first(queue.groups()),
      "stream.groups": () => stream.groups(),
      "stream.info": () => stream.info(),
      "stream.rates": () => stream.rates({ hours: 48 }),
      "stream.history": () => keyed.history("k"),
      "stream.read": () => first(stream.read({ limit: 1 })),
      "group.status": () => stream.group("g").status(),
      "group.consumers": () => stream.group("g").consumers(),
      "group.deadLetters": () => first(stream.group("g").deadLetters()),
    };
    for (const [name, read] of Object.entries(all)) reads.set(`${name} (${kind})`, read);
  }
  const channel = keyline.channel("kept", { history: {} });
  return new Map([
    ...reads,
    ["channel.rates", () => channel.rates({ hours: 48 })],
    ["channel.listeners", () => channel.listeners()],
    ["channel.history", () => channel.history()],
    ["presence.members", () => channel.presence.members()],
  ]);
}

/** How each ended: "answered", or the code of its error; "hangs" where it did neither in time. */
export async function ask(reads: Reads, withinMs = 60_000): Promise<Map<string, string>> {
  const ended = new Map<string, string>();
  const asked = [...reads].map(async ([name, read]) => {
    await read().then(
      () => ended.set(name, "answered"),
      (error: unknown) => ended.set(name, error instanceof KeylineError ? error.code : `no error of Keyline's: ${String(error)}`),
    );
  });
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, withinMs);
  await Promise.race([Promise.all(asked), late.promise]);
  clearTimeout(timer);
  return new Map([...reads.keys()].map((name) => [name, ended.get(name) ?? "hangs"]));
}

/** Something of each shape is there. */
export async function useAll(keyline: Keyline): Promise<void> {
  await keyline.queue<number>("plain").add(1);
  await keyline.queue<number>("rows", { transactional: true }).add(1);
  await keyline.stream<number>("plain").append(1);
  await keyline.stream<number>("rows", { transactional: true }).append(1);
  await keyline.channel("kept", { history: {} }).list();
}
