/* Adds families, one after the other, as a process of its own, for tests that kill it. Says which are about to be added, and which are there. */
import { Keyline } from "keyline";

interface FamilyAdderSettings {
  readonly valkey: string;
  readonly prefix: string;
  readonly parents: string;
  readonly children: string;
  readonly size: number;
}

const { valkey, prefix, parents, children, size } = JSON.parse(process.argv[2] ?? "{}") as FamilyAdderSettings;
const keyline = new Keyline({ valkey, prefix });
const above = keyline.queue<{ readonly n: number }>(parents);
const below = keyline.queue<{ readonly n: number }>(children);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

for (let family = 0; ; family++) {
  say({ adds: family });
  await above.add({ n: family }, { children: Array.from({ length: size }, (_, n) => ({ queue: below, data: { n } })) });
  say({ added: family });
}
