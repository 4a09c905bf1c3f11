/*
 * What comes in on a WebSocket, frame by frame: RFC 6455, section 5.2. The library hands out whole messages, but what a client costs is frames: a
 * message may come in thousands of fragments, pongs are answered by nobody, and a message that is never finished is held for ever.
 * Only heads are looked at.
 */

const longestHead = 14;

export class FrameScan {
  readonly #onFrame: () => void;
  /** The head that is being read: as much of it as has come. */
  readonly #head = Buffer.alloc(longestHead);
  #headLength = 0;
  /** Of the frame that is being read: bytes that have not come. */
  #payloadLeft = 0;
  /** Fragments came, and the last one is yet to come. */
  #isFragmented = false;

  constructor(onFrame: () => void) {
    this.#onFrame = onFrame;
  }

  /** True when the client has begun something and not finished it. */
  get isUnfinished(): boolean {
    return this.#headLength > 0 || this.#payloadLeft > 0 || this.#isFragmented;
  }

  read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= skipped;
        at += skipped;
      } else {
        this.#readHead(chunk[at] ?? 0);
        at++;
      }
    }
  }

  #readHead(byte: number): void {
    this.#head[this.#headLength++] = byte;
    const length = (this.#head[1] ?? 0) & 0x7f;
    const lengthBytes = length === 127 ? 8 : length === 126 ? 2 : 0;
    const isMasked = ((this.#head[1] ?? 0) & 0x80) !== 0;
    if (this.#headLength < 2 + lengthBytes + (isMasked ? 4 : 0)) return;
    this.#payloadLeft = length === 127 ? Number(this.#head.readBigUInt64BE(2)) : length === 126 ? this.#head.readUInt16BE(2) : length;
    const [isFinal, isControl] = [((this.#head[0] ?? 0) & 0x80) !== 0, ((this.#head[0] ?? 0) & 0x08) !== 0];
    if (!isControl) this.#isFragmented = !isFinal;
    this.#headLength = 0;
    this.#head[1] = 0;
    this.#onFrame();
  }
}
