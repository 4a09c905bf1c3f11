import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { followChannel, readMessages, type LiveMessage } from "../../site/test/support/live-messages.ts";
import { countRows } from "../../site/test/support/pool.ts";
import { problem } from "../../site/test/support/request.ts";
import { openReviews, type TestReviews } from "./support/reviews.ts";

let reviews: TestReviews;
beforeAll(async () => {
  reviews = await openReviews();
});
afterAll(() => reviews.close());

const timeout = 20_000;

/** What a notification is for is written in the same transaction. */
async function written(): Promise<number[]> {
  return Promise.all([countRows(reviews.pool, "reviews"), countRows(reviews.pool, "keyline.event")]);
}

interface ReviewEvent {
  readonly id: string;
  readonly action: string;
  readonly userId: string;
  readonly content: string;
}

async function historyOf(reviewId: number, of = reviews): Promise<ReviewEvent[]> {
  const { status, body } = await of.request("GET", `/api/reviews/${reviewId}/history`);
  expect(status).toBe(200);
  return (body as { events: ReviewEvent[] }).events;
}

const told = (events: readonly ReviewEvent[]): string[] => events.map(({ action, userId, content }) => `${action} ${userId} ${content}`);

interface Listed {
  readonly reviewId: number;
  readonly [field: string]: unknown;
}

async function list(query = ""): Promise<Listed[]> {
  const { status, body } = await reviews.request("GET", `/api/reviews${query}`);
  expect(status).toBe(200);
  return (body as { reviews: Listed[] }).reviews;
}

const badInput: readonly (readonly [what: string, body: unknown])[] = [
  ["no user", { content: "hello" }],
  ["an empty user", { userId: "", content: "hello" }],
  ["a user with a space", { userId: "ada lovelace", content: "hello" }],
  ["a user with a colon", { userId: "notifications:ada", content: "hello" }],
  ["a user that would be a pattern", { userId: "ad*", content: "hello" }],
  ["a user of 51 characters", { userId: "x".repeat(51), content: "hello" }],
  ["a user that is no text", { userId: 5, content: "hello" }],
  ["no content", { userId: "ada" }],
  ["blank content", { userId: "ada", content: " \n " }],
  ["1,001 characters", { userId: "ada", content: "x".repeat(1_001) }],
  ["content that is no text", { userId: "ada", content: ["hello"] }],
  ["a character that PostgreSQL's text cannot hold", { userId: "ada", content: "a\0b" }],
  ["half a character", '{"userId":"ada","action":"reaction","content":"\\ud83d"}'],
  ["invalid JSON", '{"userId":'],
  ["nothing", ""],
  ["a prototype", '{"__proto__": {"userId": "ada", "action": "reaction", "content": "hello"}}'],
];

describe("a review", () => {
  test("is a row, and the first event of its history, with one commit", async () => {
    const answer = await reviews.request("POST", "/api/reviews", { userId: "ada", content: " The soup. \n" });
    expect(answer).toMatchObject({ status: 201, body: { reviewId: expect.any(Number) } });
    const { reviewId } = answer.body as { reviewId: number };
    const { rows } = await reviews.pool.query("SELECT user_id, review_content FROM reviews WHERE review_id = $1", [reviewId]);
    expect(rows).toEqual([{ user_id: "ada", review_content: "The soup." }]);
    expect(await historyOf(reviewId)).toEqual([
      { id: expect.stringMatching(/^\d+-\d+$/), action: "review", reviewId, userId: "ada", content: "The soup.", at: expect.any(String) },
    ]);
  });

  test("has the time at which it was written", async () => {
    const before = Date.now();
    const reviewId = await reviews.review("ada", "now");
    const [review] = await list("?limit=1");
    expect(review).toMatchObject({ reviewId, userId: "ada", content: "now" });
    expect(Math.abs(Date.parse(String(review?.["postedAt"])) - before)).toBeLessThan(60_000);
  });

  test.each(badInput)("with %s is refused, and nothing is written", async (_what, body) => {
    const before = await written();
    expect(await reviews.request("POST", "/api/reviews", body)).toEqual(problem(400, "INVALID_REQUEST"));
    expect(await written()).toEqual(before);
  });

  test("leaves neither a row nor an event when its commit fails", async () => {
    await reviews.pool.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
      CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON reviews DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.review_content = 'refused') EXECUTE FUNCTION refuse()`);
    const before = await written();
    expect(await reviews.request("POST", "/api/reviews", { userId: "ada", content: "refused" })).toEqual(problem(500, "INTERNAL_ERROR"));
    expect(await written()).toEqual(before);
    expect(reviews.errors).toEqual([expect.stringContaining("refused")]);
  });
});

describe("what others say to a review", () => {
  test("is in its history, in order, and its author is told", async () => {
    const author = "author_told";
    const reviewId = await reviews.review(author, "The pasta here is incredible!");
    await reviews.react(reviewId, { userId: "user_2", content: "Thumbs up" });
    await reviews.react(reviewId, { userId: "user_3", action: "response", content: "I agree!" });
    expect(told(await historyOf(reviewId))).toEqual([
      `review ${author} The pasta here is incredible!`,
      "reaction user_2 Thumbs up",
      "response user_3 I agree!",
    ]);
    const token = await reviews.signIn(author);
    const messages = await readMessages(reviews.url, { channel: `notifications:${author}`, token, wanted: 2 });
    const about = "The pasta here is incredible!";
    expect(messages.map(({ data }) => data)).toEqual([
      { reviewId, action: "reaction", userId: "user_2", content: "Thumbs up", about },
      { reviewId, action: "response", userId: "user_3", content: "I agree!", about },
    ]);
  });

  test("is counted in the table, and in the list", async () => {
    const reviewId = await reviews.review("counted", "count me");
    for (const content of ["Thumbs up", "Thumbs up", "Love it", "something else", "other"]) {
      await reviews.react(reviewId, { userId: "user_2", content });
    }
    await reviews.react(reviewId, { userId: "user_3", action: "response", content: "Thumbs up" });
    await expect
      .poll(async () => (await list()).find((review) => review.reviewId === reviewId), { timeout })
      .toMatchObject({ reactions: 5, responses: 1, kinds: { "Thumbs up": 2, "Love it": 1, other: 2 } });
    const { rows } = await reviews.pool.query(
      "SELECT action, sum(count)::int AS count FROM reaction_counts WHERE review_id = $1 GROUP BY action ORDER BY action",
      [reviewId],
    );
    expect(rows).toEqual([
      { action: "reaction", count: 5 },
      { action: "response", count: 1 },
    ]);
  });

  test("is told to every page, with the counts that it brought about", async () => {
    const { body } = await reviews.request("GET", "/api/reviews?limit=1");
    const { cursor } = body as { cursor: string };
    const reviewId = await reviews.review("paged", "on a page");
    await reviews.react(reviewId, { userId: "user_2", content: "Love it" });
    const heard: LiveMessage["data"][] = [];
    for await (const { data } of followChannel(reviews.url, { channel: "reviews:events", since: cursor })) {
      // What the tests before this one wrote may still be on its way.
      if ((data["event"] as { reviewId: number }).reviewId === reviewId) heard.push(data);
      if (heard.length === 2) break;
    }
    expect(heard).toMatchObject([
      { event: { action: "review", reviewId, content: "on a page" }, counts: { reactions: expect.any(Number) } },
      { event: { action: "reaction", reviewId, content: "Love it" }, counts: { reactions: 1, responses: 0, kinds: { "Love it": 1 } } },
    ]);
    expect(heard.map(({ event }) => event)).toEqual(await historyOf(reviewId));
  });

  test.each(badInput)("with %s is refused, and nothing is written", async (_what, body) => {
    const reviewId = await reviews.review("ada", "for bad input");
    const before = await written();
    const sent = typeof body === "string" ? body : { action: "reaction", ...(body as object) };
    expect(await reviews.request("POST", `/api/reviews/${reviewId}/reactions`, sent)).toEqual(problem(400, "INVALID_REQUEST"));
    expect(await written()).toEqual(before);
  });

  test.each([undefined, "review", "delete", "", 1])("as the action %s is refused", async (action) => {
    const reviewId = await reviews.review("ada", "for bad actions");
    const body = { userId: "ada", action, content: "hello" };
    expect(await reviews.request("POST", `/api/reviews/${reviewId}/reactions`, body)).toEqual(problem(400, "INVALID_REQUEST"));
  });

  test("to a review that is not there is a problem, and nothing is written", async () => {
    const before = await written();
    const body = { userId: "ada", action: "reaction", content: "Thumbs up" };
    expect(await reviews.request("POST", "/api/reviews/2147483647/reactions", body)).toEqual(problem(404, "REVIEW_NOT_FOUND"));
    expect(await reviews.request("GET", "/api/reviews/2147483647/history")).toEqual(problem(404, "REVIEW_NOT_FOUND"));
    expect(await written()).toEqual(before);
  });

  test.each(["0", "-1", "1.5", "abc", "2147483648", "%00"])("to a review of the number %s is refused", async (number) => {
    const body = { userId: "ada", action: "reaction", content: "Thumbs up" };
    expect(await reviews.request("POST", `/api/reviews/${number}/reactions`, body)).toEqual(problem(400, "INVALID_REQUEST"));
    expect(await reviews.request("GET", `/api/reviews/${number}/history`)).toEqual(problem(400, "INVALID_REQUEST"));
  });

  test("leaves neither an event nor a notification when its commit fails", async () => {
    const author = "author_untold";
    const reviewId = await reviews.review(author, "hold on");
    await reviews.pool.query(`
      CREATE FUNCTION refuse_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
      CREATE CONSTRAINT TRIGGER refuse_event AFTER INSERT ON keyline.message DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.data LIKE '%refused content%') EXECUTE FUNCTION refuse_event()`);
    const refused = { userId: "user_2", action: "response", content: "refused content" };
    expect(await reviews.request("POST", `/api/reviews/${reviewId}/reactions`, refused)).toEqual(problem(500, "INTERNAL_ERROR"));
    await reviews.react(reviewId, { userId: "user_2", content: "Thumbs up" });
    expect(told(await historyOf(reviewId))).toEqual([`review ${author} hold on`, "reaction user_2 Thumbs up"]);
    const token = await reviews.signIn(author);
    const [first] = await readMessages(reviews.url, { channel: `notifications:${author}`, token, wanted: 1 });
    expect(first?.data).toMatchObject({ content: "Thumbs up" });
  });

  test("to a review whose author could not sign in is an event all the same", async () => {
    const { rows } = await reviews.pool.query<{ review_id: number }>(
      "INSERT INTO reviews (user_id, review_content) VALUES ('Ada Lovelace', 'from elsewhere'), (NULL, NULL) RETURNING review_id",
    );
    for (const { review_id: reviewId } of rows) {
      expect(await historyOf(reviewId)).toEqual([]);
      await reviews.react(reviewId, { userId: "user_2", content: "Thumbs up" });
      expect(told(await historyOf(reviewId))).toEqual(["reaction user_2 Thumbs up"]);
    }
  });
});

describe("the list", () => {
  test("has the newest first, page by page", async () => {
    const ids: number[] = [];
    for (const content of ["1", "2", "3"]) ids.push(await reviews.review("lister", content));
    expect((await list("?limit=2")).map(({ reviewId }) => reviewId)).toEqual(ids.toReversed().slice(0, 2));
    expect((await list(`?limit=2&before=${ids[1]}`))[0]).toMatchObject({ reviewId: ids[0], reactions: 0, responses: 0, kinds: {} });
    expect(await list("?before=1")).toEqual([]);
  });

  test.each(["limit=0", "limit=201", "limit=-1", "limit=ten", "limit=", "before=0", "before=2147483648", "before=x"])(
    "with %s is refused",
    async (query) => {
      expect(await reviews.request("GET", `/api/reviews?${query}`)).toEqual(problem(400, "INVALID_REQUEST"));
    },
  );

  test("has something to read from the start, once", async () => {
    const samples = (await list("?limit=200")).filter(({ userId }) => /^user_\d$/.test(String(userId)));
    expect(samples).toHaveLength(3);
    expect(samples.at(-1)).toMatchObject({ userId: "user_1", content: "The pasta here is incredible!", reactions: 1, responses: 1 });
  });
});

describe("the stream", () => {
  test("is read by everybody through the gateway, and appended to by nobody but the API", async () => {
    const reviewId = await reviews.review("ender", "the end");
    await reviews.react(reviewId, { userId: "user_2", content: "Thumbs up" });
    const { status, body } = await reviews.request("GET", "/v1/streams/Reviews/events?limit=2&reverse=true");
    expect(status).toBe(200);
    const { entries } = body as { entries: { id: string; key: string }[] };
    expect(entries.toReversed()).toMatchObject((await historyOf(reviewId)).map(({ id }) => ({ id, key: String(reviewId) })));
    const token = await reviews.signIn("ender");
    const forged = { data: { action: "reaction", reviewId, userId: "eve", content: "forged" } };
    expect((await reviews.request("POST", "/v1/streams/Reviews/events", forged, token)).status).toBe(403);
  });

  test("is counted up to its end", async () => {
    const reviewId = await reviews.review("ender", "count up to here");
    const end = (await historyOf(reviewId)).at(-1)?.id;
    await expect
      .poll(async () => (await reviews.request("GET", "/api/reviews/progress")).body, { timeout })
      .toMatchObject({ position: end });
  });
});

describe("who signs in", () => {
  const claimsOf = (token: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;

  test("gets a short-lived token whose only right is to hear the own notifications", async () => {
    const claims = claimsOf(await reviews.signIn("ada"));
    expect(claims["channels"]).toEqual({ subscribe: ["notifications:ada"] });
    expect(claims["queues"]).toBeUndefined();
    expect(Number(claims["exp"]) - Number(claims["iat"])).toBeLessThanOrEqual(3_600);
  });

  test.each([{}, { userId: "" }, { userId: "a*" }, { userId: "a:b" }, { userId: "x".repeat(51) }, { userId: 5 }, ""])(
    "is refused with %j",
    async (body) => {
      expect(await reviews.request("POST", "/api/sign-in", body)).toEqual(problem(400, "INVALID_REQUEST"));
    },
  );

  test("is the only one who hears the own notifications", async () => {
    const path = "/v1/channels/notifications:ada/messages";
    const subscribe = async (token?: string): Promise<number> => {
      const leave = new AbortController();
      const { status } = await fetch(`${reviews.url}${path}`, {
        headers: { accept: "text/event-stream", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
        signal: leave.signal,
      });
      leave.abort();
      return status;
    };
    expect(await subscribe()).toBe(401);
    expect(await subscribe(await reviews.signIn("adam"))).toBe(403);
    expect(await subscribe(await reviews.signIn("ad"))).toBe(403);
    expect(await subscribe(await reviews.signIn("ada"))).toBe(200);
  });

  test("cannot publish a notification past PostgreSQL, nor an event", async () => {
    const token = await reviews.signIn("ada");
    for (const channel of ["notifications:ada", "reviews:events"]) {
      const { status } = await reviews.request("POST", `/v1/channels/${channel}/messages`, { data: {} }, token);
      expect(status).toBe(403);
    }
  });

  test("writes under the own name, also without naming it", async () => {
    const token = await reviews.signIn("ada");
    for (const body of [{ content: "signed" }, { userId: "ada", content: "signed" }]) {
      const { status } = await reviews.request("POST", "/api/reviews", body, token);
      expect(status).toBe(201);
      const [review] = await list("?limit=1");
      expect(review).toMatchObject({ userId: "ada", content: "signed" });
      const reacted = await reviews.request("POST", `/api/reviews/${review?.reviewId}/reactions`, { ...body, action: "response" }, token);
      expect(reacted.status).toBe(201);
      expect(told(await historyOf(Number(review?.reviewId))).at(-1)).toBe("response ada signed");
    }
  });

  test("cannot write under another name", async () => {
    const token = await reviews.signIn("eve");
    const reviewId = await reviews.review("ada", "mine");
    const before = await written();
    const body = { userId: "ada", action: "reaction", content: "Thumbs up" };
    expect(await reviews.request("POST", "/api/reviews", body, token)).toEqual(problem(403, "FORBIDDEN"));
    expect(await reviews.request("POST", `/api/reviews/${reviewId}/reactions`, body, token)).toEqual(problem(403, "FORBIDDEN"));
    expect(await written()).toEqual(before);
  });

  test("is refused with a token that is forged, of another server, or for something else", async () => {
    const token = await reviews.signIn("ada");
    const [header, , signature] = token.split(".");
    const forged = Buffer.from(JSON.stringify({ ...claimsOf(token), sub: "user:eve" })).toString("base64url");
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    const before = await written();
    for (const bad of [`${header}.${forged}.${signature}`, `${none}.${forged}.`, "x", "", "Bearer", token.slice(0, -4)]) {
      const body = { userId: "eve", content: "forged" };
      expect(await reviews.request("POST", "/api/reviews", body, bad)).toEqual(problem(401, "TOKEN_INVALID"));
    }
    expect(await written()).toEqual(before);
  });
});

describe("a Valkey that loses everything", () => {
  let valkey: EmbeddedValkey;
  let apart: TestReviews;
  beforeAll(async () => {
    valkey = await startValkey();
    apart = await openReviews({ valkeyUrl: valkey.url });
  });
  afterAll(async () => {
    await apart.close();
    await valkey.stop();
  });

  test("costs no event of any history, and counting goes on", async () => {
    const reviewId = await apart.review("ada", "before");
    await apart.react(reviewId, { userId: "user_2", content: "Thumbs up" });
    const before = await historyOf(reviewId, apart);
    const admin = new Keyline({ valkey: valkey.url });
    await admin.command("FLUSHALL");
    await admin.close();
    expect(await historyOf(reviewId, apart)).toEqual(before);
    await apart.react(reviewId, { userId: "user_3", action: "response", content: "after" });
    expect(told(await historyOf(reviewId, apart))).toEqual(["review ada before", "reaction user_2 Thumbs up", "response user_3 after"]);
    await expect
      .poll(async () => (await apart.request("GET", "/api/reviews?limit=1")).body, { timeout })
      .toMatchObject({ reviews: [{ reviewId, reactions: 1, responses: 1 }] });
  });

  test("may be away: reviews are taken and read all the same", async () => {
    await valkey.kill();
    const reviewId = await apart.review("ada", "without Valkey");
    await apart.react(reviewId, { userId: "user_2", content: "Love it" });
    expect(told(await historyOf(reviewId, apart))).toEqual(["review ada without Valkey", "reaction user_2 Love it"]);
    await valkey.restart();
    await expect
      .poll(async () => (await apart.request("GET", "/api/reviews?limit=1")).body, { timeout })
      .toMatchObject({ reviews: [{ reviewId, reactions: 1 }] });
    const token = await apart.signIn("ada");
    const channel = { channel: "notifications:ada", token, wanted: 1 };
    const heard = async (): Promise<unknown> => (await readMessages(apart.url, channel)).at(-1)?.data["content"];
    await expect.poll(heard, { timeout }).toBe("Love it");
  });
});

test("the site logs no errors but those that were made to happen", () => {
  expect(reviews.errors.filter((error) => !error.includes("refused"))).toEqual([]);
});
