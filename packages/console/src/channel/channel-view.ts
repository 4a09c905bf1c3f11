import type { Message } from "keyline";
import type { ChannelView, MessageRow } from "../api/channel.ts";
import type { AnyChannel } from "../console-options.ts";
import type { Desk } from "../desk.ts";
import type { Known } from "../library/known-things.ts";
import { Patience } from "../library/patience.ts";
import type { ChannelTraits } from "../library/shapes.ts";
import { perMinute } from "../queue/counted.ts";

export type KnownChannel = Known<AnyChannel, ChannelTraits>;

const mostMembers = 200;

/** A channel as it is now. Never waits for long. */
export async function readChannel(desk: Desk, { name, hasHistory, thing: channel }: KnownChannel): Promise<ChannelView> {
  const patience = new Patience(desk.health);
  const [stores, rates, members, listeners] = await Promise.all([
    desk.health.stores(),
    patience.for(() => channel.rates({ minutes: 60 }), "valkey"),
    patience.for(() => channel.presence.members(), "valkey"),
    patience.for(() => channel.listeners(), "valkey"),
  ]);
  const minutes = rates?.minutes ?? [];
  return {
    at: Date.now(),
    stores,
    name,
    hasHistory,
    subscriptions: listeners?.connections ?? null,
    rates: rates
      ? { published: perMinute(minutes, ({ published }) => published), received: perMinute(minutes, ({ received }) => received) }
      : null,
    spark: minutes.map(({ at, published, received }) => ({ at, in: published, out: received, failed: 0 })),
    presence: members
      ? {
          members: members
            .slice(0, mostMembers)
            .map(({ member, since, info }) => ({ member, since, info: desk.redactor.value(info ?? null) })),
          total: members.length,
        }
      : null,
    problems: [],
  };
}

export function toMessageRow({ payloads }: Desk, { id, at, data }: Message): MessageRow {
  return { id, at, payload: payloads.inList(data) };
}
