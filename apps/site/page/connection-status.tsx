import { LiveStatus } from "@keyline/look";
import type { ReactNode } from "react";

export type Connection = "connecting" | "live" | "lost";

const words: Record<Connection, string> = { connecting: "Connecting", live: "Live", lost: "Offline" };

/** In the header: whether what the page shows is what there is. */
export function ConnectionStatus({ connection }: { readonly connection: Connection }): ReactNode {
  return <LiveStatus state={connection} words={words} />;
}
