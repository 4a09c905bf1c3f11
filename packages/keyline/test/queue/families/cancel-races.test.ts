import type { Keyline, KeylineError, Queue, Transaction } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let proxy: WireProxy;

beforeAll(async () => {
  stage = await openQuietStage();
  const { hostname, port } = new URL(stage.valkeyUrl);
  proxy = await startWireProxy({ target: { host: hostname, port: Number(port) } });
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (queue text, id text)");
});

afterAll(async () => {
  await stage.close();
  await proxy.stop();
});

const codeOf = (error: unknown): string | undefined => (error as KeylineError | undefined)?.code;

/** A family whose parent is being cancelled by a process that has looked who runs, found that the child does not, and is about to cancel it when `goOn` is called. */
interface Race {
  readonly name: string;
  /** Of another process. */
  readonly children: Queue<number, number, true>;
  readonly cancelling: Promise<unknown>;
  goOn(): void;
}

describe.each([{ transactional: false }, { transactional: true }])(
  "a child that is taken between the look and the cancel of whoever cancels its parent (transactional: $transactional)",
  ({ transactional }) => {
    // Both kinds have what is used here, but for the argument of handlers.
    const open = (on: Keyline, name: string): Queue<number, number, true> =>
      on.queue<number>(name, { transactional, lease: 2_000, keepResult: 60_000 } as { transactional: true });

    async function race(name: string): Promise<Race> {
      const canceller = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
      const [parents, below] = [open(canceller, `${name}-parents-${transactional}`), open(canceller, `${name}-${transactional}`)];
      const { id } = await parents.add(0, { children: [{ queue: below, data: 1, options: { id: `child-of-${name}` } }] });
      await eventually("the child waits", async () => (await below.counts()).waiting === 1);
      const late = gate();
      const { held } = proxy;
      proxy.holdRequest((bytes) => bytes.toString("latin1").includes(`\r\nchild-of-${name}\r\n`), late.opened);
      const cancelling = parents.cancel(id);
      await eventually("the child is about to be marked", () => proxy.held > held);
      const goOn = (): void => {
        proxy.passAll();
        late.open();
      };
      return { name: below.name, children: open(stage.keyline(), below.name), cancelling, goOn };
    }

    const settled = (name: string, id: string) => (tx: Transaction) => tx.query("INSERT INTO effects VALUES ($1, $2)", [name, id]);
    const effectsOf = async (name: string): Promise<number> =>
      (await stage.pool.query("SELECT FROM effects WHERE queue = $1", [name])).rowCount ?? 0;

    async function nothingIsLeft({ children, name }: Race): Promise<void> {
      await eventually("nothing is left", async () => {
        const { waiting, running, scheduled, blocked, parked } = await children.counts();
        const { rowCount } = await stage.pool.query(
          `SELECT FROM keyline.job WHERE queue LIKE $1 UNION ALL SELECT FROM keyline.family WHERE queue LIKE $1
            UNION ALL SELECT FROM keyline.family_child WHERE queue LIKE $1`,
          [`${name.split("-")[0]}-%`],
        );
        return waiting + running + scheduled + blocked + parked === 0 && rowCount === 0;
      });
    }

    test("is cancelled as what runs is: it is aborted, nothing of it commits, and all are told so", async () => {
      const raced = await race("taken");
      const { children, name } = raced;
      const begun = gate();
      const heard: unknown[] = [];
      const worker = children.work(async ({ id, signal }, { settle }) => {
        begun.open();
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        heard.push(codeOf(signal.reason));
        if (!transactional) throw signal.reason;
        await settle(settled(name, id));
      });
      await begun.opened;
      raced.goOn();
      expect(await raced.cancelling).toBe("scheduled");
      await expect(children.waitFor("child-of-taken", { timeout: 20_000 })).rejects.toMatchObject({ code: "JOB_CANCELLED" });
      await eventually("its handler has heard of it", () => heard.length > 0);
      expect(heard).toEqual(["JOB_CANCELLED"]);
      await nothingIsLeft(raced);
      expect(await effectsOf(name)).toBe(0);
      await worker.stop();
    });

    test("and has ended by then has ended: its cancel finds nothing, and takes nothing back", async () => {
      const raced = await race("ended");
      const { children, name } = raced;
      const worker = children.work(async ({ id }, { settle }) => {
        if (transactional) await settle(settled(name, id));
        return "done";
      });
      await children.waitFor("child-of-ended", { timeout: 20_000 });
      raced.goOn();
      expect(await raced.cancelling).toBe("scheduled");
      await nothingIsLeft(raced);
      await children.waitFor("child-of-ended", { timeout: 20_000 });
      expect(await effectsOf(name)).toBe(transactional ? 1 : 0);
      // Its id is free: what a cancel that was too late has left does not touch who has it next.
      await children.add(2, { id: "child-of-ended" });
      await eventually("it ran", async () => (await effectsOf(name)) === (transactional ? 2 : 0));
      await nothingIsLeft(raced);
      await worker.stop();
    });
  },
);
