import { startPostgres, startValkey } from "@keyline/embedded";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    readonly valkeyUrl: string;
    readonly postgresUrl: string;
  }
}

// Nobody breaks it, and it ends with the tests. Hundreds of databases are made in it, and whoever drops one waits until all of them are on the disk: a minute on a busy machine.
const settings = { max_connections: "400", fsync: "off" };

/** One Valkey and one PostgreSQL for all files that break neither; each file has a key prefix and a database of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [valkey, postgres] = await Promise.all([startValkey({ config: { databases: "64" } }), startPostgres({ settings })]);
  project.provide("valkeyUrl", valkey.url);
  project.provide("postgresUrl", postgres.url);
  return async () => {
    await Promise.all([valkey.stop(), postgres.stop()]);
  };
}
