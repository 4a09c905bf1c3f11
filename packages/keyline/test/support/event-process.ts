/*
 * A process of its own that works with a transactional stream, for tests that kill it: a writer appends and says what was acknowledged,
 * a consumer settles effects, a projector keeps a table. None of the tables has a unique key: it would hide what happened twice.
 */
import { Keyline } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly role: "writer" | "consumer" | "projector";
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly stream: string;
  readonly name: string;
  readonly first: number;
};

interface Event {
  readonly writer: string;
  readonly n: number;
}

const print = (line: object): void => void process.stdout.write(`${JSON.stringify({ pid: process.pid, ...line })}\n`);
const log = (details: object, message: string): void => print({ log: message, ...details });
const keyline = new Keyline({
  valkey: settings.valkey,
  postgres: settings.postgres,
  prefix: settings.prefix,
  logger: { debug: () => undefined, info: log, warn: log, error: log },
});
const stream = keyline.stream<Event>(settings.stream, {
  transactional: true,
  key: ({ n }) => `k${n % 20}`,
  retention: { maxLength: 500 },
});

/** One after the other, as different callers would: by itself, in a transaction, in one that rolls back. */
async function write(): Promise<void> {
  for (let n = settings.first; ; n++) {
    const event = { writer: settings.name, n };
    try {
      if (n % 3 === 0) {
        await stream.append(event);
      } else {
        await keyline.transaction(async (tx) => {
          await stream.append(event, { tx });
          if (n % 7 === 0) throw new Error("rolled back");
        });
      }
      print({ acknowledged: n });
    } catch (error) {
      // What is not known is neither acknowledged nor excluded.
      if (error instanceof Error && error.message === "rolled back") print({ excluded: n });
      else await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

if (settings.role === "writer") {
  await write();
} else if (settings.role === "consumer") {
  stream.consume(
    "effects",
    async (entry, { settle }) => {
      await settle(async (tx) => {
        await tx.query("INSERT INTO effects (entry, key) VALUES ($1, $2)", [entry.id, entry.key]);
      });
    },
    { concurrency: 20, lease: 1_500, maxAttempts: 1_000, backoff: { type: "fixed", delay: 50 } },
  );
} else {
  stream.project("mirror", async (tx, entries) => {
    await tx.query("INSERT INTO mirror (entry) SELECT unnest($1::text[])", [entries.map(({ id }) => id)]);
  });
}
