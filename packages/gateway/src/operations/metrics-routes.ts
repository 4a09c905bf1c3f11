import type { FastifyRequest } from "fastify";
import { createHash, timingSafeEqual } from "node:crypto";
import { isLoopback } from "../server/loopback.ts";
import { Problem } from "../server/problem.ts";
import type { Routes } from "../server/zod-schemas.ts";
import type { Metrics } from "./metrics.ts";

/** Who may read `/metrics`: whoever shows this bearer token, requests from this machine that no proxy passes on, everybody, or nobody. */
export type MetricsOptions = { readonly token: string } | "loopback" | "open" | false;

export function addMetricsRoutes(
  routes: Routes,
  { metrics, options = "loopback" }: { readonly metrics: Metrics; readonly options: MetricsOptions | undefined },
): void {
  if (options === false) return;
  // A setting that is missing would be a token that everybody can guess.
  if (typeof options === "object" && (typeof options.token !== "string" || options.token === "")) {
    throw new Error("metrics.token must be a text that is not empty");
  }
  routes.get("/metrics", { schema: { hide: true } }, async (request, reply) => {
    if (options === "loopback") checkLocal(request);
    else if (options !== "open") checkToken(request, options.token);
    return reply.type(metrics.contentType).send(await metrics.read());
  });
}

function checkLocal({ ip, headers, raw }: FastifyRequest): void {
  const isForwarded = "x-forwarded-for" in headers || "forwarded" in headers;
  const isLocal = isLoopback(raw.socket.remoteAddress ?? "") && isLoopback(ip);
  // A proxy on this machine speaks for others.
  if (isLocal && !isForwarded) return;
  throw new Problem({
    title: "Metrics are for this machine only, unless the option metrics says otherwise",
    status: 403,
    code: "FORBIDDEN",
  });
}

function checkToken({ headers }: FastifyRequest, token: string): void {
  if (isSame(headers.authorization ?? "", `Bearer ${token}`)) return;
  throw new Problem({ title: "Metrics need their token", status: 401, code: "TOKEN_MISSING" });
}

// Hashed, because timingSafeEqual wants equal lengths, and takes equally long for each.
function isSame(given: string, wanted: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(given), hash(wanted));
}
