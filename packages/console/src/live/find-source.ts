import { readChannel } from "../channel/channel-view.ts";
import type { Desk } from "../desk.ts";
import { Refusal } from "../http/refusal.ts";
import { readHealth } from "../operations/read-health.ts";
import { readOverview } from "../overview/overview.ts";
import { readJob } from "../queue/job-routes.ts";
import { readQueue } from "../queue/queue-view.ts";
import { readStream } from "../stream/stream-view.ts";
import { channelTail, eventsTail, streamTail } from "./tails.ts";
import type { Source } from "./source.ts";

/** Where a topic has it from. Throws a refusal for one that there is not. */
export async function findSource(desk: Desk, topic: string): Promise<Source> {
  const { shapes } = desk;
  const [, kind, name = ""] = /^([a-z]+)(?::(.+))?$/.exec(topic) ?? [];
  switch (kind) {
    case "overview":
      return { kind, read: () => readOverview(desk), openTail: undefined };
    case "health":
      return { kind, read: () => readHealth(desk), openTail: undefined };
    case "tasks":
      return { kind, read: async () => ({ tasks: desk.tasks.list() }), openTail: undefined };
    case "queue": {
      const known = await shapes.queues.find(name);
      return { kind, read: () => readQueue(desk, known), openTail: undefined };
    }
    case "events": {
      const known = await shapes.queues.find(name);
      return { kind, read: undefined, openTail: (since) => eventsTail(desk, known, since) };
    }
    case "job": {
      const slash = name.indexOf("/");
      const known = await shapes.queues.find(name.slice(0, Math.max(0, slash)));
      return { kind, read: () => readJob(desk, known, name.slice(slash + 1)), openTail: undefined };
    }
    case "channel": {
      const known = await shapes.channels.find(name);
      return { kind, read: () => readChannel(desk, known), openTail: (since) => channelTail(desk, known, since) };
    }
    case "stream": {
      const known = await shapes.streams.find(name);
      return { kind, read: () => readStream(desk, known), openTail: (since) => streamTail(desk, known, since) };
    }
    default:
      throw new Refusal({ status: 404, code: "UNKNOWN_TOPIC", title: "There is no such topic" });
  }
}
