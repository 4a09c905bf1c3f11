import type { ReactNode } from "react";
import type { Connection } from "../../site/page/connection-status.tsx";
import type { Snapshot } from "../snapshot.ts";
import classes from "./connection.module.css";

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
