import type { Health } from "../api/health.ts";
import type { Desk } from "../desk.ts";

/** How both stores are, and what endangers data or work: also where leases were lost. */
export async function readHealth({ health, losses }: Pick<Desk, "health" | "losses">): Promise<Health> {
  const [seen, lost] = await Promise.all([health.read(), losses.warnings()]);
  return { ...seen, warnings: [...seen.warnings, ...lost] };
}
