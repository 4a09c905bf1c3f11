import { useEffect, useState } from "react";
import type { OrderState, Snapshot } from "../snapshot.ts";
import { isOrderProcessed } from "./api.ts";

const askEveryMs = 1_000;

/** Where one order is: from the snapshots while it is among the newest, asked for when others have pushed it out. */
export function useOrderState(orderId: number, snapshot: Snapshot | undefined): OrderState {
  const listed = snapshot?.orders.find((order) => order.orderId === orderId)?.state;
  const [last, setLast] = useState<OrderState>("waiting");
  if (listed !== undefined && listed !== last) setLast(listed);
  const state = listed ?? last;
  const isUnlisted = listed === undefined && state !== "processed";

  useEffect(() => {
    if (!isUnlisted) return undefined;
    const timer = setInterval(() => {
      // It is asked again in a second, and a lost connection is said elsewhere.
      isOrderProcessed(orderId).then(
        (isProcessed) => isProcessed && setLast("processed"),
        () => undefined,
      );
    }, askEveryMs);
    return () => clearInterval(timer);
  }, [isUnlisted, orderId]);

  return state;
}
