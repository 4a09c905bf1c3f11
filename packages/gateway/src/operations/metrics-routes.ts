import { createHash, timingSafeEqual } from "node:crypto";
import { Problem } from "../server/problem.ts";
import type { Routes } from "../server/zod-schemas.ts";
import type { Metrics } from "./metrics.ts";

/** Who may read `/metrics`: whoever shows this bearer token, or nobody. */
export type MetricsOptions = { readonly token: string } | "off";

export function addMetricsRoutes(
  routes: Routes,
  { metrics, options }: { readonly metrics: Metrics; readonly options: MetricsOptions | undefined },
): void {
  if (options === "off") return;
  routes.get("/metrics", { schema: { hide: true } }, async (request, reply) => {
    if (options && !isSame(request.headers.authorization ?? "", `Bearer ${options.token}`)) {
      throw new Problem({ title: "Metrics need their token", status: 401, code: "TOKEN_MISSING" });
    }
    return reply.type(metrics.contentType).send(await metrics.read());
  });
}

// Hashed, because timingSafeEqual wants equal lengths, and takes equally long for each.
function isSame(given: string, wanted: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(given), hash(wanted));
}
