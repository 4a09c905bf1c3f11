import type { ReactNode } from "react";
import classes from "./connection-status.module.css";

export type Connection = "connecting" | "live" | "lost";

const words: Record<Connection, string> = { connecting: "Connecting", live: "Live", lost: "Offline" };

/** In the header: whether what the page shows is what there is. */
export function ConnectionStatus({ connection }: { readonly connection: Connection }): ReactNode {
  return (
    <span className={classes.status} data-connection={connection}>
      <span className={classes.word}>{words[connection]}</span>
    </span>
  );
}
