import { silentLogger } from "../../runtime/logger.ts";
import { Database } from "./database.ts";

/** A database for a while, beside the one at a URL. */
export interface ScratchDatabase {
  readonly url: string;
  /** Ends whatever is still connected to it. */
  drop(): Promise<void>;
}

/** Creates a database on the server at `serverUrl`, empty or as a copy of another one. `name` consists of letters, digits and underscores. */
export async function createScratchDatabase(serverUrl: string, name: string, template?: string): Promise<ScratchDatabase> {
  await runAlone(serverUrl, `CREATE DATABASE ${name}${template === undefined ? "" : ` TEMPLATE ${template}`}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => runAlone(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/** A statement that no transaction may have around it. */
async function runAlone(serverUrl: string, text: string): Promise<void> {
  const database = new Database(serverUrl, silentLogger);
  try {
    const client = await database.connect();
    let isClean = false;
    try {
      await client.query(text);
      isClean = true;
    } catch (error) {
      throw database.explain(error, client);
    } finally {
      database.release(client, isClean);
    }
  } finally {
    await database.close();
  }
}
