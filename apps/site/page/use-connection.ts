import type { Live } from "@keyline/client";
import { useEffect, useState } from "react";
import type { Connection } from "./connection-status.tsx";

/** Whether what the page shows is what there is. Undefined before there is anything that could connect. */
export function useConnection(live: Live | undefined): Connection {
  const [connection, setConnection] = useState<Connection>(live?.state === "online" ? "live" : "connecting");
  useEffect(() => {
    if (!live) return undefined;
    setConnection(live.state === "online" ? "live" : "connecting");
    return live.on("state", (state) => {
      // Before the first connection nothing was lost yet.
      setConnection((before) => (state === "online" ? "live" : before === "connecting" ? before : "lost"));
    });
  }, [live]);
  return connection;
}
