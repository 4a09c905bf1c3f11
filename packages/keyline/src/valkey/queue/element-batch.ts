import type { ValkeyConnection } from "../client/connection.ts";
import { bulkString, WrittenCommand } from "../client/written-command.ts";

/**
 * Elements that are pushed with one command, written in the form of the wire as they come. Nothing has to walk over them again:
 * not an array of arguments, not the client library, which would measure and copy each one.
 */
export class ElementBatch {
  #wire = "";
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** An approximation of the size, in UTF-16 units. */
  get length(): number {
    return this.#wire.length;
  }

  static of(elements: readonly string[]): ElementBatch {
    const batch = new ElementBatch();
    for (const element of elements) batch.add(element, Buffer.byteLength(element));
    return batch;
  }

  add(element: string, byteLength: number): void {
    this.#wire += bulkString(element, byteLength);
    this.#count++;
  }

  pushTo(connection: ValkeyConnection, list: string): Promise<unknown> {
    const head = `*${this.#count + 2}\r\n${bulkString("lpush")}${bulkString(list)}`;
    return connection.client.sendCommand(new WrittenCommand("lpush", [list], head + this.#wire)) as Promise<unknown>;
  }
}
