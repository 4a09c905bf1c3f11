import type { ReactNode } from "react";
import type { Snapshot } from "../snapshot.ts";
import classes from "./connection.module.css";
import type { Connection } from "./use-live.ts";

const words: Record<Connection, string> = { connecting: "Connecting", live: "Live", lost: "Offline" };

/** In the header. */
export function ConnectionStatus({ connection }: { readonly connection: Connection }): ReactNode {
  return (
    <span className={classes.status} data-connection={connection}>
      {words[connection]}
    </span>
  );
}

interface BannerProps {
  readonly connection: Connection;
  readonly snapshot: Snapshot | undefined;
}

/** Says over the page what does not answer. */
export function ConnectionBanner({ connection, snapshot }: BannerProps): ReactNode {
  const text = bannerText(connection, snapshot);
  return (
    <div className={classes.place} role="status">
      {text && <p className={classes.banner}>{text}</p>}
    </div>
  );
}

function bannerText(connection: Connection, snapshot: Snapshot | undefined): string | undefined {
  if (connection === "lost") return "Reconnecting… The values are old.";
  if (snapshot?.away.includes("postgres")) return "PostgreSQL does not answer. Nothing can be placed.";
  if (snapshot?.away.includes("valkey")) return "Valkey does not answer. Orders are accepted and wait in PostgreSQL.";
  return undefined;
}
