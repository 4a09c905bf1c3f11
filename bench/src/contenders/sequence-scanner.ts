const marker = Buffer.from('"seq":');
const [zero, nine] = [0x30, 0x39];

/**
 * Finds the numbers of messages in bytes as they come from a socket, whatever stands around them: a payload begins with
 * `{"seq":<number>,`. Far cheaper than parsing, so that whoever counts deliveries is not what is measured.
 */
export class SequenceScanner {
  /** The end of the last chunk, where a marker or a number may have been cut in two. */
  #rest: Buffer | undefined;

  scan(bytes: Buffer, onSequence: (seq: number) => void): void {
    const chunk = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
    let from = 0;
    for (;;) {
      const start = chunk.indexOf(marker, from);
      if (start === -1) break;
      let end = start + marker.length;
      let seq = 0;
      for (let digit = chunk[end]; digit !== undefined && digit >= zero && digit <= nine; digit = chunk[++end])
        seq = seq * 10 + digit - zero;
      if (end === chunk.length) {
        this.#rest = Buffer.from(chunk.subarray(start));
        return;
      }
      onSequence(seq);
      from = end;
    }
    this.#keep(chunk, Math.max(from, chunk.length - marker.length + 1));
  }

  // A copy, since the buffer belongs to whoever reads the socket; none after a line break, where no marker can have begun.
  #keep(chunk: Buffer, from: number): void {
    const isWhole = from >= chunk.length || chunk[chunk.length - 1] === 0x0a;
    this.#rest = isWhole ? undefined : Buffer.from(chunk.subarray(from));
  }
}
