import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { followChannel, readMessages as readMessagesOf, type LiveMessage } from "../../site/test/support/live-messages.ts";
import { countRows } from "../../site/test/support/pool.ts";
import { problem } from "../../site/test/support/request.ts";
import { createChannel, openFeed, postAll, type TestFeed } from "./support/feed.ts";

let feed: TestFeed;
beforeAll(async () => {
  feed = await openFeed();
});
afterAll(() => feed.close());

const timeout = 20_000;

const count = (from: string): Promise<number> => countRows(feed.pool, from);

async function contents(query: string): Promise<string[]> {
  const { status, body } = await feed.request("GET", `/api/feed/channels/${query}`);
  expect(status).toBe(200);
  return (body as { posts: { content: string }[] }).posts.map(({ content }) => content);
}

function follow(channel: string, since?: string): AsyncGenerator<LiveMessage> {
  return followChannel(feed.url, since === undefined ? { channel } : { channel, since });
}

function readMessages(channel: string, wanted: number): Promise<LiveMessage[]> {
  return readMessagesOf(feed.url, { channel, wanted });
}

describe("channels", () => {
  test("one that is made is listed, and pages can listen to it at once", async () => {
    expect(await feed.request("POST", "/api/feed/channels", { name: "Made-while_it_runs" })).toEqual(
      expect.objectContaining({ status: 201, body: { name: "Made-while_it_runs" } }),
    );
    expect(await feed.request("GET", "/api/feed/channels")).toMatchObject({
      body: { channels: expect.arrayContaining([{ name: "Made-while_it_runs", createdAt: expect.any(String) }]) },
    });
    await postAll(feed.url, "Made-while_it_runs", ["first"]);
    expect(await readMessages("Made-while_it_runs", 1)).toMatchObject([{ data: { content: "first" } }]);
  });

  test("one that was made by another process is found", async () => {
    await feed.pool.query("INSERT INTO channels (name) VALUES ('by_another')");
    await postAll(feed.url, "by_another", ["found"]);
    expect(await readMessages("by_another", 1)).toMatchObject([{ data: { content: "found" } }]);
  });

  test("a second one of the same name is refused", async () => {
    await createChannel(feed.url, "twice");
    const before = await count("channels");
    expect(await feed.request("POST", "/api/feed/channels", { name: "twice" })).toEqual(problem(409, "CHANNEL_EXISTS"));
    expect(await count("channels")).toBe(before);
  });

  test("of two that are made at the same time, one is", async () => {
    const answers = await Promise.all([1, 2, 3].map(() => feed.request("POST", "/api/feed/channels", { name: "at_once" })));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409]);
  });

  test.each([
    ["no name", {}],
    ["an empty name", { name: "" }],
    ["a blank name", { name: " " }],
    ["a name with a space", { name: "tech news" }],
    ["a name with a slash", { name: "a/b" }],
    ["a name with a colon, as the feed's own channels have", { name: "feed:readers" }],
    ["a name with a dot, as the weather's channels have", { name: "weather.paris" }],
    ["a pattern", { name: "weather*" }],
    ["a name with a line break", { name: "news\n" }],
    ["a name that is not ASCII", { name: "néws" }],
    ["51 characters", { name: "x".repeat(51) }],
    ["a number", { name: 5 }],
    ["null", { name: null }],
    ["an array", ["news"]],
    ["invalid JSON", '{"name": "news"'],
    ["nothing", ""],
    ["a prototype", '{"__proto__": {"name": "news"}}'],
  ])("refuses %s and makes nothing", async (_what, body) => {
    const before = await count("channels");
    expect(await feed.request("POST", "/api/feed/channels", body)).toEqual(problem(400, "INVALID_REQUEST"));
    expect(await count("channels")).toBe(before);
  });
});

describe("posting", () => {
  beforeAll(() => createChannel(feed.url, "posting"));

  test("answers with the number of a row whose message is on the channel of that name", async () => {
    const posted = await feed.request("POST", "/api/feed/channels/posting/posts", { author: " guest-1000 ", content: "Hello\nthere " });
    expect(posted).toMatchObject({ status: 201, body: { postId: expect.any(Number) } });
    const { postId } = posted.body as { postId: number };
    const { rows } = await feed.pool.query("SELECT channel, author, content FROM posts WHERE post_id = $1", [postId]);
    expect(rows).toEqual([{ channel: "posting", author: "guest-1000", content: "Hello\nthere" }]);
    const [message] = await readMessages("posting", 1);
    expect(message?.data).toEqual({ postId, author: "guest-1000", content: "Hello\nthere", postedAt: expect.any(String) });
  });

  test("takes 1,000 characters of any kind", async () => {
    const start = `<b>"Ünïcode"</b> '; DROP TABLE posts; --`;
    const content = start + "🛋".repeat((1_000 - start.length) / 2);
    expect(content.length).toBeGreaterThan(998);
    await postAll(feed.url, "posting", [content]);
    expect(await contents("posting/posts?limit=1")).toEqual([content]);
  });

  test.each([
    ["no author", { content: "hello" }],
    ["no content", { author: "guest" }],
    ["an empty author", { author: "", content: "hello" }],
    ["a blank author", { author: " \u3000", content: "hello" }],
    ["an author of 51 characters", { author: "x".repeat(51), content: "hello" }],
    ["an author of two lines", { author: "a\nb", content: "hello" }],
    ["an author that is no text", { author: 5, content: "hello" }],
    ["empty content", { author: "guest", content: "" }],
    ["blank content", { author: "guest", content: " \n " }],
    ["1,001 characters", { author: "guest", content: "x".repeat(1_001) }],
    ["content that is no text", { author: "guest", content: ["hello"] }],
    ["a character that PostgreSQL's text cannot hold", { author: "guest", content: "a\0b" }],
    ["half a character", '{"author":"guest","content":"\\ud83d"}'],
    ["invalid JSON", '{"author":'],
    ["nothing", ""],
    ["a prototype", '{"__proto__": {"author": "guest", "content": "hello"}}'],
  ])("refuses %s and posts nothing", async (_what, body) => {
    const before = await count("posts");
    expect(await feed.request("POST", "/api/feed/channels/posting/posts", body)).toEqual(problem(400, "INVALID_REQUEST"));
    expect(await count("posts")).toBe(before);
  });

  test.each(["nowhere", "weather.berlin", "feed:readers", "a%2Fb", "a%00b", "%ff"])("knows no channel %s", async (name) => {
    const { status } = await feed.request("POST", `/api/feed/channels/${name}/posts`, { author: "guest", content: "hello" });
    expect([400, 404]).toContain(status);
    expect((await feed.request("GET", `/api/feed/channels/${name}/posts`)).status).toBe(status);
  });

  test("on a channel that nobody made is a problem of its own", async () => {
    const body = { author: "guest", content: "hello" };
    expect(await feed.request("POST", "/api/feed/channels/nowhere/posts", body)).toEqual(problem(404, "CHANNEL_NOT_FOUND"));
    expect(await feed.request("GET", "/api/feed/channels/nowhere/posts")).toEqual(problem(404, "CHANNEL_NOT_FOUND"));
  });

  test("leaves neither a row nor a message when the commit fails", async () => {
    await createChannel(feed.url, "refusing");
    await feed.pool.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
      CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON posts DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.content = 'refused') EXECUTE FUNCTION refuse()`);
    const refused = await feed.request("POST", "/api/feed/channels/refusing/posts", { author: "guest", content: "refused" });
    expect(refused).toEqual(problem(500, "INTERNAL_ERROR"));
    await postAll(feed.url, "refusing", ["taken"]);
    expect(await readMessages("refusing", 1)).toMatchObject([{ data: { content: "taken" } }]);
    expect(await contents("refusing/posts")).toEqual(["taken"]);
  });
});

describe("reading posts", () => {
  beforeAll(async () => {
    await createChannel(feed.url, "reading");
    await postAll(feed.url, "reading", ["1", "2", "3", "4", "5"]);
  });

  test("brings the newest first, and older ones page by page", async () => {
    const first = await feed.request("GET", "/api/feed/channels/reading/posts?limit=2");
    const { posts } = first.body as { posts: { postId: number; content: string }[] };
    expect(posts.map(({ content }) => content)).toEqual(["5", "4"]);
    const next = `reading/posts?limit=2&before=${posts[1]?.postId}`;
    expect(await contents(next)).toEqual(["3", "2"]);
    expect(await contents("reading/posts?before=1")).toEqual([]);
    expect(await contents("reading/posts")).toEqual(["5", "4", "3", "2", "1"]);
  });

  test("brings a cursor with which nothing is left out: what is not among the posts comes after it", async () => {
    const { body } = await feed.request("GET", "/api/feed/channels/reading/posts");
    const { cursor, posts } = body as { cursor: string; posts: { content: string }[] };
    await postAll(feed.url, "reading", ["6", "7"]);
    const later: string[] = [];
    for await (const { data } of follow("reading", cursor)) {
      later.push(String(data["content"]));
      if (later.includes("7")) break;
    }
    expect(later).toEqual([...new Set(later)].sort());
    expect([...new Set([...posts.map(({ content }) => content), ...later])].sort()).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
  });

  test.each(["0", "201", "-1", "1.5", "ten", "", "1e2", "1&limit=2"])("refuses limit=%s", async (limit) => {
    expect(await feed.request("GET", `/api/feed/channels/reading/posts?limit=${limit}`)).toEqual(problem(400, "INVALID_REQUEST"));
  });

  test.each(["0", "-1", "1.5", "abc", "", "2147483648", "1%00"])("refuses before=%s", async (before) => {
    expect(await feed.request("GET", `/api/feed/channels/reading/posts?before=${before}`)).toEqual(problem(400, "INVALID_REQUEST"));
  });
});

describe("the live side", () => {
  test("knows the channels that were made, and no others", async () => {
    expect((await fetch(`${feed.url}/v1/channels/nowhere/messages`)).status).toBe(401);
    expect((await fetch(`${feed.url}/v1/channels/weather.berlin/messages`)).status).toBe(401);
  });

  test("lets nobody publish past PostgreSQL", async () => {
    const body = { data: { postId: 1, author: "guest", content: "forged", postedAt: "" } };
    expect((await feed.request("POST", "/v1/channels/tech_news/messages", body)).status).toBe(403);
    expect((await feed.request("POST", "/v1/channels/weather:all/messages", body)).status).toBe(403);
  });

  test("hears the weather of all cities by one pattern, and passes it on", async () => {
    const channels = new Set<string>();
    for await (const { data } of follow("weather:all")) {
      expect(data).toMatchObject({
        city: expect.any(String),
        temperature: expect.any(Number),
        channel: expect.stringMatching(/^weather\./),
      });
      channels.add(String(data["channel"]));
      if (channels.size >= 6) break;
    }
    expect([...channels].sort()).toEqual([
      "weather.berlin",
      "weather.lima",
      "weather.mumbai",
      "weather.nairobi",
      "weather.oslo",
      "weather.tokyo",
    ]);
  });
});

describe("readers", () => {
  test("get a token that lets them in, and no rights", async () => {
    const { status, body } = await feed.request("POST", "/api/feed/readers", { readerId: crypto.randomUUID() });
    expect(status).toBe(201);
    const { token } = body as { token: string };
    const authorization = `Bearer ${token}`;
    const published = await fetch(`${feed.url}/v1/channels/tech_news/messages`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: '{"data":1}',
    });
    expect(published.status).toBe(403);
    expect((await fetch(`${feed.url}/v1/queues/orders`, { headers: { authorization } })).status).toBe(403);
  });

  test.each([{}, { readerId: "" }, { readerId: "ada" }, { readerId: 5 }, { readerId: "reader:*" }, ""])(
    "are refused with %j",
    async (body) => {
      expect(await feed.request("POST", "/api/feed/readers", body)).toEqual(problem(400, "INVALID_REQUEST"));
    },
  );
});

describe("the site", () => {
  test("has something to read from the start, once", async () => {
    expect(await count("posts WHERE author LIKE 'guest-%' AND channel IN ('tech_news', 'databases', 'try_this', 'off_topic')")).toBe(7);
    expect((await readMessages("tech_news", 2)).map(({ data }) => data["content"])).toEqual(
      (await contents("tech_news/posts")).toReversed(),
    );
  });

  test("refuses what pages of other sites send, and their connections", async () => {
    const response = await fetch(`${feed.url}/api/feed/channels`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: "http://example.com" },
      body: '{"name":"foreign"}',
    });
    expect(response.status).toBe(403);
    const upgrade = await fetch(`${feed.url}/v1/ws`, { headers: { origin: "http://example.com" } });
    expect(upgrade.status).toBe(403);
  });

  test("logs no errors but the one that was made to happen", async () => {
    await expect.poll(() => feed.errors.filter((error) => !error.includes("refused")), { timeout }).toEqual([]);
  });
});
