/*
 * A consumer as a process of its own that never finishes an entry by itself, for tests that stop it and let it go on.
 */
import { Keyline } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly stream: string;
  readonly transactional: boolean;
  readonly lease: number;
};

const { valkey, postgres, prefix, transactional, lease } = settings;
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const keyline = new Keyline({ valkey, postgres, prefix });
const stream = transactional ? keyline.stream<number>(settings.stream, { transactional }) : keyline.stream<number>(settings.stream);
const consumer = stream.consume(
  "g",
  async ({ data, signal }) => {
    print({ started: data });
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  },
  { from: "-", lease },
);
consumer.on("error", () => undefined);
