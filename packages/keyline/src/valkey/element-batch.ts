import { Command } from "iovalkey";
import type { ValkeyConnection } from "./connection.ts";

/**
 * Elements that are pushed with one command, written in the form of the wire (RESP) as they come. Nothing has to walk over them
 * again: not an array of arguments, not the client library, which would measure and copy each one.
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
    this.#wire += `$${byteLength}\r\n${element}\r\n`;
    this.#count++;
  }

  async pushTo(connection: ValkeyConnection, list: string): Promise<void> {
    const head = `*${this.#count + 2}\r\n$5\r\nlpush\r\n$${Buffer.byteLength(list)}\r\n${list}\r\n`;
    const command = new PushCommand(list, head + this.#wire);
    await connection.client.sendCommand(command);
  }
}

class PushCommand extends Command {
  readonly #wire: string;

  constructor(list: string, wire: string) {
    // The key, for the client to find the node of a cluster by.
    super("lpush", [list]);
    this.#wire = wire;
  }

  override toWritable(): string {
    return this.#wire;
  }
}
