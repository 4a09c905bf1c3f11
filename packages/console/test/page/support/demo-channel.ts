import type { Keyline } from "keyline";
import type { RunningDemo } from "./running-demo.ts";

const everyMs = 700;

/** A channel with a history, on which somebody speaks, and where three are present. */
export async function startChatter(keyline: Keyline): Promise<RunningDemo> {
  const news = keyline.channel<{ headline: string; by: string }>("news", { history: { size: 200 } });
  await news.list();
  const subscription = news.subscribe(() => undefined);
  await subscription.ready;
  const members = await Promise.all(["ada", "grace", "linus"].map((name) => news.presence.enter(name, { info: { name } })));
  let said = 0;
  const speak = async (): Promise<void> => {
    said += 1;
    await news.publish({ headline: `Headline number ${said}`, by: said % 2 === 0 ? "ada" : "grace" });
  };
  for (let index = 0; index < 12; index += 1) await speak();
  const timer = setInterval(() => void speak().catch(() => undefined), everyMs);
  return {
    close: async () => {
      clearInterval(timer);
      await Promise.all(members.map((member) => member.leave()));
      await subscription.close();
    },
  };
}
