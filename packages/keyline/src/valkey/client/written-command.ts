import { Command } from "iovalkey";
import { toError } from "../../runtime/errors.ts";

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

// In place of the client library's, whose promise is one behind several others, for time limits and callbacks that nobody has here: whoever waits for the answer would hear later of it.
Object.assign(WrittenCommand.prototype, {
  initPromise(this: WrittenCommand): void {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.promise = promise;
    this.reject = reject;
    this.resolve = (reply: Buffer | Buffer[]) => {
      let answer: unknown;
      try {
        answer = this.transformReply(reply);
      } catch (error) {
        return reject(toError(error));
      }
      this.isResolved = true;
      return resolve(answer);
    };
  },
});
