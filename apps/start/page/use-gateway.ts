import { connect, type Live } from "@keyline/client";
import { useEffect, useState } from "react";

/** The page's connection: without a token, for everything it shows is public. */
export function useGateway(): Live | undefined {
  const [live, setLive] = useState<Live>();
  useEffect(() => {
    const connection = connect("/");
    setLive(connection);
    return () => connection.close();
  }, []);
  return live;
}
