import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ValkeyConnection } from "./connection.ts";
import { lastingFaultOf } from "./faults.ts";
import { bulkString, WrittenCommand } from "./written-command.ts";

/**
 * Makes scripts of the files in the folder `scripts` beside the module that asks; several files are one script, one after the other. `client/eras` is
 * the file `eras` of the folder `client`, beside the module's own.
 */
export function scriptsBeside(moduleUrl: string): (keyCount: number, ...files: readonly string[]) => Script {
  return (keyCount, ...files) => {
    const text = files.map((file) => readFileSync(urlOf(file, moduleUrl), "utf8")).join("\n");
    return new Script(keyCount, text);
  };
}

function urlOf(file: string, moduleUrl: string): URL {
  const [name, folder] = file.split("/").toReversed();
  return new URL(`${folder === undefined ? "." : `../${folder}`}/scripts/${name}.lua`, moduleUrl);
}

/** A connection, or one server of a cluster for a script without keys. */
type Asked = Pick<ValkeyConnection, "client">;

/** The first values of a script that are the same again and again, in the form of the wire. */
export interface Begun {
  readonly count: number;
  readonly wire: string;
}

const nothing: Begun = { count: 0, wire: "" };

export function begin(values: readonly string[]): Begun {
  return { count: values.length, wire: values.map((value) => bulkString(value)).join("") };
}

/** A Lua script, sent by its hash, and by its text to a server that does not know it yet. */
export class Script {
  readonly #text: string;
  readonly #hash: string;
  readonly #keyCount: number;
  readonly #head: string;

  constructor(keyCount: number, text: string) {
    this.#text = text;
    this.#hash = createHash("sha1").update(this.#text).digest("hex");
    this.#keyCount = keyCount;
    this.#head = bulkString("evalsha") + bulkString(this.#hash) + bulkString(String(keyCount));
  }

  /** The reply, as the script's header describes it. `begun`: the first ones of the values, as they are written. */
  async run(connection: Asked, keysAndArguments: readonly (string | number)[], begun?: Begun): Promise<unknown> {
    try {
      return await this.runByHash(connection, keysAndArguments, begun);
    } catch (error) {
      if (!isUnknownScript(error)) throw lastingFaultOf(error) ?? error;
    }
    try {
      return await this.runByText(connection, keysAndArguments);
    } catch (error) {
      throw lastingFaultOf(error) ?? error;
    }
  }

  /** The same for who looks after scripts that the server does not know: see `isUnknownScript`. */
  runByHash(connection: Asked, keysAndArguments: readonly (string | number)[], begun?: Begun): Promise<unknown> {
    return connection.client.sendCommand(this.#write(keysAndArguments, begun)) as Promise<unknown>;
  }

  /** The same for commands that must not be overtaken: whatever the server knows, nothing is sent a second time, behind others. */
  runByText(connection: Asked, keysAndArguments: readonly (string | number)[]): Promise<unknown> {
    return connection.client.eval(this.#text, this.#keyCount, ...keysAndArguments);
  }

  #write(keysAndArguments: readonly (string | number)[], { count, wire: first }: Begun = nothing): WrittenCommand {
    let wire = `*${keysAndArguments.length + 3}\r\n${this.#head}${first}`;
    for (let index = count; index < keysAndArguments.length; index++) wire += bulkString(String(keysAndArguments[index]));
    return new WrittenCommand("evalsha", [this.#hash, "1", String(keysAndArguments[0])], wire);
  }
}

/** The server did not run a script because it does not know its hash. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}
