import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { historyPage, type HistoryPage } from "../../src/api/channel.ts";
import { openConsole, type ConsoleServer } from "../support/console-server.ts";
import { valid } from "../support/valid.ts";

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  console = await openConsole({ keyline: stage.keyline() });
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

test("all that a channel keeps is read back page by page, each once, whatever is published meanwhile", async () => {
  const channel = keyline.channel<{ n: number }>("kept", { history: { size: 500 } });
  await channel.list();
  await Promise.all(Array.from({ length: 200 }, (_, n) => channel.publish({ n })));
  const kept = (await channel.history({ limit: 500 })).messages.map(({ id }) => id);
  await eventually("the console knows it", async () => (await console.get("api/channels/kept")).status === 200);
  const seen: string[] = [];
  let pages = 0;
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: HistoryPage = valid(historyPage, await console.get(`api/channels/kept/history?limit=50${cursor && `&cursor=${cursor}`}`));
    expect(page.messages).toHaveLength(50);
    seen.unshift(...page.messages.map(({ id }) => id));
    await channel.publish({ n: 200 + pages });
    cursor = page.next;
    pages++;
  }
  expect(pages).toBe(4);
  expect(seen).toEqual(kept);
  const answer = await console.get("api/channels/kept/history?cursor=nonsense");
  expect(answer.body).toMatchObject({ status: 400, code: "INVALID_CURSOR" });
});
