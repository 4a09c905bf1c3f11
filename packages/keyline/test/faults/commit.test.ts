import { startPostgres } from "@keyline/embedded";
import { expect, test } from "vitest";
import { eventually, openStage } from "../support/stage.ts";
import { startWireProxy, targetOf } from "../support/wire-proxy.ts";

// A transaction that wrote nothing durable before a crash leaves no trace, and the server gives its id once more.
test("a transaction that a crash undid is not taken for the one that got its id afterwards", async () => {
  const postgres = await startPostgres();
  const stage = await openStage({ postgresUrl: postgres.url });
  const proxy = await startWireProxy({ target: targetOf(postgres.url) });
  const url = new URL(stage.databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String(proxy.port);
  try {
    const keyline = stage.keyline({ postgres: url.href });
    await keyline.migrate();
    await stage.pool.query("CREATE TABLE made (n integer); CREATE TABLE others (n integer)");
    const queue = keyline.queue<number>("made", { transactional: true });
    await keyline.transaction((tx) => queue.add(-1, { tx }));
    let reused = 0;
    for (let n = 0; n < 12 && reused < 2; n++) {
      let xid = "";
      const outcome = keyline
        .transaction(async (tx) => {
          await tx.query("INSERT INTO made VALUES ($1)", [n]);
          await queue.add(n, { tx });
          xid = (await tx.query<{ xid: string }>("SELECT pg_current_xact_id()::text AS xid")).rows[0]?.xid ?? "";
          // Nobody of this Keyline sees the server before others have used it.
          await proxy.refuse(true);
          await postgres.restart("immediate");
          await eventually("it is back", () =>
            stage.pool.query("SELECT 1").then(
              () => true,
              () => false,
            ),
          );
          for (let other = 0; other < 30; other++) await stage.pool.query("INSERT INTO others VALUES ($1)", [other]);
          await proxy.refuse(false);
        })
        .then(
          () => "done",
          (error: unknown) => (error as { code?: string }).code ?? String(error),
        );
      const result = await outcome;
      const isThere = (await stage.pool.query("SELECT FROM made WHERE n = $1", [n])).rows.length === 1;
      const { rows } = await stage.pool.query<{ status: string }>("SELECT pg_xact_status($1::xid8) AS status", [xid]);
      if (rows[0]?.status === "committed" && !isThere) reused++;
      expect({ result, isThere }).not.toEqual({ result: "done", isThere: false });
    }
    expect(reused, "ids that were given once more").toBeGreaterThan(0);
  } finally {
    await stage.close();
    await proxy.stop();
    await postgres.stop();
  }
}, 120_000);
