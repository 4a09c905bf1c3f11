import { historyQuery, publishBody, type HistoryPage } from "../api/channel.ts";
import type { Desk } from "../desk.ts";
import { parse } from "../http/json-body.ts";
import { Refusal } from "../http/refusal.ts";
import type { Ask, Route } from "../http/router.ts";
import { patiently } from "../library/patience.ts";
import { readChannel, toMessageRow, type KnownChannel } from "./channel-view.ts";

const patienceMs = 4_000;

export function channelRoutes(desk: Desk): Route[] {
  const find = ({ param }: Ask): Promise<KnownChannel> => desk.shapes.channels.find(param("channel"));
  return [
    { method: "GET", path: "channels/:channel", answer: async (ask) => readChannel(desk, await find(ask)) },
    { method: "GET", path: "channels/:channel/history", answer: async (ask) => readHistory(desk, await find(ask), ask) },
    { method: "POST", path: "channels/:channel/publish", answer: async (ask) => publish(desk, await find(ask), ask) },
  ];
}

async function readHistory(desk: Desk, { thing: channel }: KnownChannel, { query }: Ask): Promise<HistoryPage> {
  const { cursor, limit } = parse(historyQuery, query);
  const { messages, earlier } = await patiently(desk.health, channel.history({ limit, before: cursor }), patienceMs);
  return { messages: messages.map((message) => toMessageRow(desk, message)), next: earlier ?? null };
}

async function publish({ audited, redactor }: Desk, { name, thing: channel }: KnownChannel, { body, visitor }: Ask): Promise<unknown> {
  const { data } = parse(publishBody, body);
  if (data === undefined)
    throw new Refusal({ status: 400, code: "INVALID_REQUEST", title: "There is nothing to publish: data is missing" });
  const own = redactor.restore(data, undefined);
  return audited.do(visitor, { action: "publish", target: `channel:${name}` }, async () => {
    const { id, receivers } = await channel.publish(own);
    return { id, receivers: receivers ?? null };
  });
}
