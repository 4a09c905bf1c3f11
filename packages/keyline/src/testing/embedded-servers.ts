import { Keyline } from "../keyline.ts";
import { createScratchDatabase } from "../postgres/client/scratch-database.ts";
import { KeylineError, toError } from "../runtime/errors.ts";

/** A private server, as @keyline/embedded starts it. */
interface Server {
  readonly url: string;
}

/** What is used of @keyline/embedded: an optional peer, whose types must not be needed to compile with this package. */
interface Embedded {
  startValkey(): Promise<Server>;
  startPostgres(options: { readonly settings: Readonly<Record<string, string>> }): Promise<Server>;
}

/** A PostgreSQL, and a database on it that test databases are copies of: to copy takes a fraction of the time to migrate. */
interface PostgresServer extends Server {
  readonly template: string;
}

interface Servers {
  valkey?: Promise<Server> | undefined;
  postgres?: Promise<PostgresServer> | undefined;
}

const template = "keyline_testing_template";
// It ends with the tests, and so may what it holds.
const settings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

// Test runners load modules anew for each file: servers are one pair for a process all the same. They end with it.
const place: { [key: symbol]: Servers | undefined } = globalThis;
const servers = (place[Symbol.for("keyline/testing servers")] ??= {});

/** The Valkey of this process. Started when it is first asked for, and again when that failed. Throws EMBEDDED_REQUIRED. */
export async function embeddedValkey(): Promise<Server> {
  servers.valkey ??= importEmbedded().then(({ startValkey }) => startValkey());
  const { valkey } = servers;
  valkey.catch(() => (servers.valkey = undefined));
  return valkey;
}

/** The same for PostgreSQL. Needs a Valkey, as everything of a Keyline does. */
export async function embeddedPostgres(valkeyUrl: string): Promise<PostgresServer> {
  servers.postgres ??= importEmbedded().then((embedded) => startPostgres(embedded, valkeyUrl));
  const { postgres } = servers;
  postgres.catch(() => (servers.postgres = undefined));
  return postgres;
}

async function startPostgres(embedded: Embedded, valkeyUrl: string): Promise<PostgresServer> {
  const { url } = await embedded.startPostgres({ settings });
  const database = await createScratchDatabase(url, template);
  // Nobody may be connected to what is copied.
  await using keyline = new Keyline({ valkey: valkeyUrl, postgres: database.url });
  await keyline.migrate();
  return { url, template };
}

async function importEmbedded(): Promise<Embedded> {
  // Not as a literal, which the compilers of users would look for.
  const name: string = "@keyline/embedded";
  try {
    return (await import(name)) as Embedded;
  } catch (cause) {
    const why = toError(cause).message;
    throw new KeylineError(
      "EMBEDDED_REQUIRED",
      `createTestKeyline starts its servers by the package @keyline/embedded, which could not be loaded (${why}): run npm install --save-dev ` +
        "@keyline/embedded, or give the addresses of servers as valkey and postgres",
      { cause },
    );
  }
}
