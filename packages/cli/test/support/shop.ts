import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { keyline, type Ended } from "./command.ts";

/** A stage with what its processes need in their environment. */
export interface Shop extends Stage {
  readonly env: Readonly<Record<string, string>>;
  /** An application that uses the same servers. */
  readonly app: Keyline;
  run(...args: string[]): Promise<Ended>;
  /** Resolves when the directory has what the application uses: it is written a moment after the first use. */
  known(): Promise<void>;
}

export async function openShop(): Promise<Shop> {
  const stage = await openStage();
  const env = { VALKEY_URL: stage.valkeyUrl, DATABASE_URL: stage.databaseUrl, KEYLINE_PREFIX: stage.prefix };
  const app = stage.keyline();
  await app.migrate();
  return {
    ...stage,
    env,
    app,
    run: (...args) => keyline(args, { env }),
    known: async () => {
      await Promise.all([app.directory.queues(), app.directory.streams(), app.directory.channels()]);
    },
  };
}
