import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { createSite } from "../site.ts";

test("a site closes at once, although a browser has a connection on which nothing was asked", async () => {
  const site = createSite({ logError: () => undefined });
  site.get("/", () => "hello");
  await site.listen({ host: "127.0.0.1", port: 0 });
  const address = site.server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const accepted = once(site.server, "connection");
  const ahead = connect({ host: "127.0.0.1", port });
  await accepted;
  expect(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })).text()).toBe("hello");
  const gone = once(ahead, "close");
  await site.close();
  await gone;
}, 10_000);
