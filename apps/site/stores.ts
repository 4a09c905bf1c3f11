import { startPostgres, startValkey } from "@keyline/embedded";
import { SettingError } from "./setting-error.ts";

interface Store {
  readonly url: string;
  /** What runs, and where. */
  readonly description: string;
  close(): Promise<void>;
}

export interface Stores {
  readonly valkey: Store;
  readonly postgres: Store;
  close(): Promise<void>;
}

type Log = (message: string) => void;

/** The servers that VALKEY_URL and DATABASE_URL name; for what is not named, private ones whose data goes when they stop. */
export async function openStores({ VALKEY_URL, DATABASE_URL }: NodeJS.ProcessEnv, log: Log): Promise<Stores> {
  const valkey = VALKEY_URL ? given("VALKEY_URL", VALKEY_URL) : await embeddedValkey(log);
  try {
    const postgres = DATABASE_URL ? given("DATABASE_URL", DATABASE_URL) : await embeddedPostgres(log);
    return {
      valkey,
      postgres,
      close: async () => {
        await Promise.all([valkey.close(), postgres.close()]);
      },
    };
  } catch (error) {
    await valkey.close();
    throw error;
  }
}

function given(name: string, url: string): Store {
  if (!URL.canParse(url)) throw new SettingError(`${name} is not a URL`);
  // Not the URL itself, which may hold a password.
  return { url, description: `${new URL(url).host} (${name})`, close: () => Promise.resolve() };
}

async function embeddedValkey(log: Log): Promise<Store> {
  const valkey = await startValkey({ log: whenInstalling(log) });
  return { url: valkey.url, description: describe(valkey), close: () => valkey.stop() };
}

async function embeddedPostgres(log: Log): Promise<Store> {
  const postgres = await startPostgres({ log: whenInstalling(log) });
  return { url: postgres.url, description: describe(postgres), close: () => postgres.stop() };
}

function describe({ host, port, version }: { readonly host: string; readonly port: number; readonly version: string }): string {
  return `${host}:${port} (version ${version}, private, its data goes when this stops)`;
}

// Where it runs is said once, by main; only what takes long is worth a line of its own.
function whenInstalling(log: Log): Log {
  return (message) => {
    if (/install|download/i.test(message)) log(message);
  };
}
