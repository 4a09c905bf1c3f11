import type pg from "pg";
import { inject } from "vitest";
import { openPool } from "../../../site/test/support/pool.ts";
import { freePort } from "../../../site/test/support/port.ts";
import { request, type Answer } from "../../../site/test/support/request.ts";
import { openReviewsSite, type ReviewsSiteSettings } from "./reviews-site.ts";

/** Reviews with a database and a key prefix of their own, on the servers that all tests share. */
export interface TestReviews {
  readonly url: string;
  readonly port: number;
  readonly name: string;
  readonly pool: pg.Pool;
  /** What the server logged as errors. */
  readonly errors: readonly string[];
  request(method: string, path: string, body?: unknown, token?: string): Promise<Answer>;
  /** Resolves with the review's number. */
  review(userId: string, content: string): Promise<number>;
  react(reviewId: number, reaction: { readonly userId: string; readonly action?: string; readonly content: string }): Promise<void>;
  signIn(userId: string): Promise<string>;
  close(): Promise<void>;
}

let opened = 0;

export async function openReviews(settings: Partial<ReviewsSiteSettings> = {}): Promise<TestReviews> {
  const errors: string[] = [];
  const name = `reviews_${process.pid}_${Date.now().toString(36)}_${opened++}`;
  const port = await freePort();
  const postgresUrl = inject("postgresUrl");
  const site = await openReviewsSite({
    name,
    port,
    postgresUrl,
    valkeyUrl: inject("valkeyUrl"),
    logError: (message) => errors.push(message),
    ...settings,
  });
  const url = `http://127.0.0.1:${port}`;
  const pool = openPool(postgresUrl, name);
  const ask: TestReviews["request"] = (method, path, body, token) => request(`${url}${path}`, { method, body, token });
  const expectAnswer = async (status: number, answer: Promise<Answer>): Promise<unknown> => {
    const { status: found, body } = await answer;
    if (found !== status) throw new Error(`Answered with ${found}: ${JSON.stringify(body)}`);
    return body;
  };
  return {
    url,
    port,
    name,
    pool,
    errors,
    request: ask,
    review: async (userId, content) => {
      const body = await expectAnswer(201, ask("POST", "/api/reviews", { userId, content }));
      return (body as { reviewId: number }).reviewId;
    },
    react: async (reviewId, { action = "reaction", ...reaction }) => {
      await expectAnswer(201, ask("POST", `/api/reviews/${reviewId}/reactions`, { action, ...reaction }));
    },
    signIn: async (userId) => {
      const body = await expectAnswer(200, ask("POST", "/api/sign-in", { userId }));
      return (body as { token: string }).token;
    },
    close: async () => {
      await site.close();
      await pool.end();
    },
  };
}
