import type { Command } from "commander";
import { action } from "../context.ts";
import { interruption } from "../interruption.ts";

interface Options {
  readonly migrate: boolean;
}

export function define(command: Command): void {
  command.option("--no-migrate", "leave the database empty").action(
    action(async ({ output }, { migrate }: Options) => {
      const signal = interruption();
      const { startPostgres, startValkey } = await import("@keyline/embedded");
      const log = (line: string): void => output.note(line);
      // Both, whatever becomes of the other: what has started is stopped.
      const started = await Promise.allSettled([startValkey({ log }), startPostgres({ log })]);
      const [valkey, postgres] = started;
      try {
        if (valkey.status === "rejected") throw valkey.reason;
        if (postgres.status === "rejected") throw postgres.reason;
        signal.throwIfAborted();
        const urls = { VALKEY_URL: valkey.value.url, DATABASE_URL: await postgres.value.createDatabase("keyline") };
        if (migrate) await migrateDatabase(urls);
        if (output.isJson) await output.result(urls, "");
        else for (const [name, url] of Object.entries(urls)) await output.text(`export ${name}='${url}'`);
        output.note(`${output.isJson ? "" : "Paste the two lines into another terminal. "}Ctrl-C stops both servers, and their data goes.`);
        await aborted(signal);
      } finally {
        await Promise.all(started.map(async (server) => server.status === "fulfilled" && server.value.stop()));
      }
    }),
  );
}

async function migrateDatabase({
  VALKEY_URL,
  DATABASE_URL,
}: {
  readonly VALKEY_URL: string;
  readonly DATABASE_URL: string;
}): Promise<void> {
  const { Keyline } = await import("keyline");
  await using keyline = new Keyline({ valkey: VALKEY_URL, postgres: DATABASE_URL });
  await keyline.migrate();
}

/** Nothing of what is waited for keeps a process alive by itself, so that this has to. */
async function aborted(signal: AbortSignal): Promise<void> {
  const timer = setInterval(() => undefined, 60_000);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  clearInterval(timer);
}
