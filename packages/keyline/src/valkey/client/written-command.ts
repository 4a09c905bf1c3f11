import { Command } from "iovalkey";

/** A string in the form of the wire (RESP). */
export function bulkString(text: string, byteLength = Buffer.byteLength(text)): string {
  return `$${byteLength}\r\n${text}\r\n`;
}

/**
 * A command that is in the form of the wire already, so that the client library need not measure and copy its arguments. It is
 * given those alone by which it finds the node of a cluster.
 */
export class WrittenCommand extends Command {
  readonly #wire: string;

  constructor(name: string, routing: string[], wire: string) {
    super(name, routing, { replyEncoding: "utf8" });
    this.#wire = wire;
  }

  override toWritable(): string {
    return this.#wire;
  }
}
