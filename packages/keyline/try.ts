import { startValkey, startPostgres } from "@keyline/embedded";
import { Keyline } from "keyline";
const v = await startValkey({ log: console.log });
const p = await startPostgres({ log: console.log });
const url = await p.createDatabase("t1");
const logger = { debug: (d: object, m: string) => console.log("debug", m, d), info: (d: object, m: string) => console.log("info", m, d), warn: (d: object, m: string) => console.log("warn", m, d), error: (d: object, m: string) => console.log("error", m, d) };
const k = new Keyline({ valkey: v.url, postgres: url, logger });
const q = k.queue<{ n: number }>("plain");
let n = 0;
const w = q.work((job) => { n++; if (job.data.n === 3 && job.attempt === 1) throw new Error("no"); }, { concurrency: 10 });
w.on("retried", (job, e, ms) => console.log("retried", job.id, e.message, ms));
await Promise.all(Array.from({ length: 1000 }, (_, i) => q.add({ n: i })));
await new Promise((r) => setTimeout(r, 1500));
console.log(n, await q.counts());
await k.migrate();
const t = k.queue<{ n: number }>("tx", { transactional: true });
await k.transaction(async (tx) => {
  await tx.query("CREATE TABLE effects (id text)");
});
const w2 = t.work(async (job, { settle }) => { await settle(async (tx) => { await tx.query("INSERT INTO effects VALUES ($1)", [job.id]); }); }, { concurrency: 10 });
w2.on("error", (e) => console.log("error", e));
await t.addMany(Array.from({ length: 500 }, (_, i) => ({ data: { n: i } })));
await k.transaction(async (tx) => { await t.add({ n: 1 }, { tx }); });
const started = performance.now();
for (;;) {
  const { rows } = await k.transaction((tx) => tx.query("select count(*)::int c, count(distinct id)::int d, (select count(*) from keyline.job)::int j from effects"));
  if (rows[0].c >= 501 || performance.now() - started > 5000) { console.log(rows[0], performance.now() - started); break; }
}
console.log(await t.counts());
const t0 = performance.now();
await k.close();
console.log("closed", performance.now() - t0);
await v.stop(); await p.stop();
