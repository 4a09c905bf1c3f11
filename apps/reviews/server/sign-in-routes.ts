import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseInput } from "../../site/problem.ts";
import type { Identities } from "./identities.ts";
import { UserId, userIdRule } from "./input.ts";

const SignIn = z.object({ userId: UserId });

/** `at` is this server's time, by which the page tells what came before it was connected. */
export function addSignInRoutes(site: FastifyInstance, identities: Identities): void {
  site.post("/api/sign-in", async (request) => {
    const { userId } = parseInput(userIdRule, SignIn, request.body);
    const at = Date.now();
    return { token: await identities.signIn(userId), at };
  });
}
