import type { Consumer, Projection } from "keyline";
import { consumeRules, type EventData, type Site } from "../site.ts";

/** Consumes both streams in the name of a group each, and keeps a projection of the transactional one. */
export function consume(site: Site): readonly (Consumer<EventData> | Projection<EventData>)[] {
  const { events, readings, history, settings } = site;
  const effects = events.consume(
    "effects",
    async ({ id, key, data, attempt }, { settle }) => {
      history.write("invoke", { f: "events.handle", msg: data.msg, token: id, attempt });
      const isOurs = await settle(async (tx) => {
        await tx.query("INSERT INTO event_effects (entry, key, proc) VALUES ($1, $2, $3)", [id, key, settings.proc]);
      });
      history.write(isOurs ? "ok" : "fail", { f: "events.handle", msg: data.msg, token: id, attempt });
    },
    consumeRules,
  );
  const tally = readings.consume(
    "tally",
    ({ id, data, attempt }) => {
      history.write("ok", { f: "readings.handle", msg: data.msg, token: id, attempt });
    },
    consumeRules,
  );
  const mirror = events.project("mirror", async (tx, entries) => {
    await tx.query("INSERT INTO mirror (entry) SELECT unnest($1::text[])", [entries.map(({ id }) => id)]);
  });
  for (const consumer of [effects, tally]) {
    consumer.on("error", (error) => history.write("info", { f: "lease", note: error.message }));
  }
  return [effects, tally, mirror];
}
