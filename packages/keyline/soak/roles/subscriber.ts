import { setTimeout as sleep } from "node:timers/promises";
import { HistoryReader, type Activity } from "../history.ts";
import type { EventData, Site } from "../site.ts";
import type { Stream } from "keyline";

/** Where whoever had this place in the cast before came to. */
type Places = Partial<Record<Activity, string>>;

/**
 * Subscribes to the channel and follows both streams, from where the process came to that had its place before. The subscription is ended
 * and taken up again now and then.
 */
export async function subscribe(site: Site, signal: AbortSignal): Promise<void> {
  const { events, readings, settings } = site;
  const places: Places = {};
  const before = new HistoryReader(settings.folder).read().filter(({ proc }) => proc.startsWith(`${settings.slot}.`));
  for (const { f, token } of before) if (token !== undefined) places[f] = token;
  await Promise.all([
    receive(site, places["news.receive"] ?? "earliest", signal),
    follow(site, { stream: events, f: "events.follow", after: places["events.follow"] ?? "-", signal }),
    follow(site, { stream: readings, f: "readings.follow", after: places["readings.follow"] ?? "-", signal }),
  ]);
}

async function receive({ news, history, random }: Site, since: string, signal: AbortSignal): Promise<void> {
  for (let cursor = since; !signal.aborted;) {
    const subscription = news.subscribe(({ data, cursor: at }) => history.write("ok", { f: "news.receive", msg: data.msg, token: at }), {
      since: cursor,
      onGap: ({ reason, missed, cursor: at }) =>
        history.write("info", { f: "news.receive", token: at, note: `gap ${reason} ${missed ?? "?"}` }),
    });
    const pause = 500 + random() * 4_000;
    await Promise.race([subscription.closed, sleep(pause, undefined, { signal }).catch(() => undefined)]);
    await subscription.close();
    cursor = subscription.cursor ?? cursor;
    if (random() < 0.5) await sleep(random() * 300);
  }
}

async function follow(
  { history }: Site,
  {
    stream,
    f,
    after,
    signal,
  }: { readonly stream: Stream<EventData, EventData, boolean>; readonly f: Activity; readonly after: string; readonly signal: AbortSignal },
): Promise<void> {
  const entries = stream.follow({
    after,
    signal,
    onGap: ({ reason, until }) => history.write("info", { f, token: until, note: `gap ${reason}` }),
  });
  for await (const { id, data } of entries) history.write("ok", { f, msg: data.msg, token: id });
}
