import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameScan } from "../../src/websocket/frame-scan.ts";

const frame = fc.record({
  opcode: fc.constantFrom(0x0, 0x1, 0x2, 0x8, 0x9, 0xa),
  isFinal: fc.boolean(),
  isMasked: fc.boolean(),
  length: fc.oneof(fc.nat(130), fc.integer({ min: 65_530, max: 65_540 })),
});

/** A frame as it is on the wire, the payload full of what looks like heads. */
function encode({ opcode, isFinal, isMasked, length }: { opcode: number; isFinal: boolean; isMasked: boolean; length: number }): Buffer {
  const masked = isMasked ? 0x80 : 0;
  const head = Buffer.from([(isFinal ? 0x80 : 0) | opcode, masked | (length < 126 ? length : length < 65_536 ? 126 : 127)]);
  const size = Buffer.alloc(length < 126 ? 0 : length < 65_536 ? 2 : 8);
  if (size.length === 2) size.writeUInt16BE(length);
  if (size.length === 8) size.writeBigUInt64BE(BigInt(length));
  return Buffer.concat([head, size, Buffer.alloc(isMasked ? 4 : 0, 0x81), Buffer.alloc(length, 0x81)]);
}

test("counts frames however they are cut, and knows when something is unfinished", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 70_000 })), fc.nat(), (frames, cuts, missing) => {
      let count = 0;
      const scan = new FrameScan(() => count++);
      let bytes = Buffer.concat(frames.map(encode));
      const whole = bytes;
      for (const cut of [...cuts, whole.length]) {
        scan.read(bytes.subarray(0, cut));
        bytes = bytes.subarray(cut);
      }
      expect(count).toBe(frames.length);
      const last = frames.findLast(({ opcode }) => opcode < 8);
      expect(scan.isUnfinished).toBe(last !== undefined && !last.isFinal);
      if (whole.length === 0) return;
      // All but the last few bytes of a message that is final.
      const part = new FrameScan(() => undefined);
      const lastFrame = encode({ opcode: 1, isFinal: true, isMasked: true, length: 200 });
      part.read(Buffer.concat([whole, lastFrame.subarray(0, lastFrame.length - 1 - (missing % 200))]));
      expect(part.isUnfinished).toBe(true);
    }),
  );
});
