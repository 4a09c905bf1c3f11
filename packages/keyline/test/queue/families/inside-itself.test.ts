import type { Child, Keyline, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

interface Data {
  readonly n: number;
}
type Loop = { queue: EitherQueue<Data>; data: Data; options?: object };

const tables = ["job", "family", "family_child", "family_death", "delivery", "deduplication", "step", "outcome"];

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openQuietStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

describe.each([{ transactional: false }, { transactional: true }])(
  "a family with itself inside (transactional: $transactional)",
  ({ transactional }) => {
    const open = (name: string): EitherQueue<Data> => openEither<Data>(keyline, `${name}-${transactional}`, { transactional });

    /** All that both stores have of jobs. */
    async function written(): Promise<unknown> {
      const rows = await Promise.all(
        tables.map(
          async (name) => (await stage.pool.query(`SELECT to_jsonb(t) AS one FROM keyline.${name} t ORDER BY to_jsonb(t)::text`)).rows,
        ),
      );
      const keys = (await stage.valkey.keys(`${stage.prefix}:{*`)).filter((key) => !key.includes("}:rates:")).sort();
      return { rows, keys: await Promise.all(keys.map(async (key) => [key, await stage.valkey.dump(key)])) };
    }

    /** Children of `queue`, the first of whose descendants in so many generations has the same children again. */
    function loopOf(queue: EitherQueue<Data>, generations: number): Loop[] {
      const top: Loop[] = [{ queue, data: { n: 0 } }];
      let last = top;
      for (let n = 1; n < generations; n++) {
        const below: Loop[] = [
          { queue, data: { n } },
          { queue, data: { n: -n } },
        ];
        if (last[0]) last[0].options = { children: below };
        last = below;
      }
      if (last[0]) last[0].options = { children: top };
      return top;
    }

    test.each([1, 2, 5])("over %i generations is refused by its name, before anything is written", async (generations) => {
      const [parents, children] = [open("parents"), open("children")];
      const { id } = await parents.add({ n: 1 }, { delay: 3_600_000 });
      await eventually("another one is there", async () => (await parents.counts()).scheduled === 1);
      await eventually("nothing is under way", async () => {
        const before = JSON.stringify(await written());
        await new Promise((resolve) => setTimeout(resolve, 300));
        return JSON.stringify(await written()) === before;
      });
      const before = await written();
      const loop = loopOf(children, generations) as unknown as readonly Child[];
      const path = `children[0]${".options.children[0]".repeat(generations - 1)}`;
      await expect(parents.add({ n: 0 }, { children: loop })).rejects.toMatchObject({
        code: "INVALID_OPTION",
        message: `${path} has itself inside: its children are those of children`,
      });
      if (transactional) {
        const own = parents as Queue<Data, Data, true>;
        const within = keyline.transaction(async (tx) => own.add({ n: 0 }, { tx, children: loop }).then(String, String));
        expect(await within).toContain("has itself inside");
      }
      expect(await written()).toEqual(before);
      // What was there before goes on as it was.
      expect(await parents.cancel(id)).toBe("scheduled");
      expect(await children.counts()).toMatchObject({ waiting: 0, scheduled: 0, running: 0, parked: 0 });
    });
  },
);
