import type { Live } from "@keyline/client";
import { useEffect, useState } from "react";
import type { Connection } from "../../site/page/connection-status.tsx";

/** Whether what the page shows is what there is. */
export function useConnection(live: Live): Connection {
  const [connection, setConnection] = useState<Connection>(live.state === "online" ? "live" : "connecting");
  useEffect(
    () =>
      live.on("state", (state) => {
        // Before the first connection nothing was lost yet.
        setConnection((before) => (state === "online" ? "live" : before === "connecting" ? before : "lost"));
      }),
    [live],
  );
  return connection;
}
