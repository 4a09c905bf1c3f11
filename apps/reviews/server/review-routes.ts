import type { Channel, Projection } from "keyline";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { placeBeforeNow } from "../../site/place.ts";
import { parseInput } from "../../site/problem.ts";
import { longestContent } from "../limits.ts";
import type { CountedEvent, ReviewEvent } from "../review-event.ts";
import type { Identities } from "./identities.ts";
import { Content, integer, largestId, UserId, userIdRule } from "./input.ts";
import { reviewNotFound, type ReviewDesk } from "./review-desk.ts";
import type { ReviewTables } from "./review-tables.ts";
import { toPlacedEvent, type ReviewsStream } from "./reviews-stream.ts";

const NewReview = z.object({ userId: UserId.optional(), content: Content });
const NewReaction = NewReview.extend({ action: z.enum(["reaction", "response"]) });
const ReviewId = z.object({ reviewId: integer(1, largestId) });
const PageOfReviews = z.object({ limit: integer(1, 200).default(50), before: integer(1, largestId).optional() });

interface ReviewServices {
  readonly desk: ReviewDesk;
  readonly tables: ReviewTables;
  readonly stream: ReviewsStream;
  readonly events: Channel<CountedEvent>;
  readonly projection: Projection<ReviewEvent>;
  readonly identities: Identities;
}

export function addReviewRoutes(site: FastifyInstance, services: ReviewServices): void {
  const { desk, tables, stream, events, projection, identities } = services;

  site.post("/api/reviews", async (request, reply) => {
    const rule = `A review has a content of 1 to ${longestContent} characters. ${userIdRule}`;
    const { userId, content } = parseInput(rule, NewReview, request.body);
    const reviewId = await desk.review({ userId: await identities.require(request, userId), content });
    return reply.code(201).header("location", `/api/reviews/${reviewId}/history`).send({ reviewId });
  });

  site.post("/api/reviews/:reviewId/reactions", async (request, reply) => {
    const { reviewId } = parseReviewId(request.params);
    const rule = `A reaction or response has a content of 1 to ${longestContent} characters. ${userIdRule}`;
    const { userId, action, content } = parseInput(rule, NewReaction, request.body);
    await desk.react(reviewId, { userId: await identities.require(request, userId), action, content });
    return reply.code(201).header("location", `/api/reviews/${reviewId}/history`).send({ reviewId, action });
  });

  /*
   * The newest reviews, and the cursor from which to subscribe to what is said about them. It is read first: a message before it was
   * published after its commit, so it is in the tables when they are read; a message after it comes live, and has the
   * counts themselves, so it may be in the tables already.
   */
  site.get("/api/reviews", async (request) => {
    const page = parseInput("limit is an integer from 1 to 200, before the number of a review", PageOfReviews, request.query);
    if (page.before !== undefined) return { reviews: await tables.list(page) };
    const cursor = await placeBeforeNow(events);
    return { reviews: await tables.list(page), cursor };
  });

  site.get("/api/reviews/:reviewId/history", async (request) => {
    const { reviewId } = parseReviewId(request.params);
    const entries = await stream.history(String(reviewId));
    if (entries.length === 0 && !(await tables.has(reviewId))) throw reviewNotFound(reviewId);
    return { reviewId, events: entries.map(toPlacedEvent) };
  });

  /** How far the table of counts is in the stream. */
  site.get("/api/reviews/progress", () => projection.progress());
}

function parseReviewId(params: unknown): { readonly reviewId: number } {
  return parseInput("The number of a review is a positive integer", ReviewId, params);
}
