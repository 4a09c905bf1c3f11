// A process of its own that is present on a channel until it is killed.
import { Keyline } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly prefix: string;
  readonly channel: string;
  readonly member: string;
};

const keyline = new Keyline({ valkey: settings.valkey, prefix: settings.prefix });
await keyline.channel(settings.channel).presence.enter(settings.member);
