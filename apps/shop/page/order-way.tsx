import { IconAlertTriangle, IconCheck } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { OrderState } from "../snapshot.ts";
import classes from "./order-way.module.css";

const words: Record<OrderState, string> = {
  waiting: "Waiting",
  running: "Running",
  interrupted: "Worker killed",
  processed: "Processed",
};

const reached: Record<OrderState, number> = { waiting: 0, running: 1, interrupted: 1, processed: 2 };

/** An order's way, waiting, running, processed, and how far it has come on it. */
export function OrderWay({ state }: { readonly state: OrderState }): ReactNode {
  return (
    <span className={classes.way} data-state={state}>
      <span className={classes.track} aria-hidden="true">
        {[0, 1, 2].map((place) => (
          <span key={place} className={classes.stop} data-reached={place <= reached[state]} data-here={place === reached[state]} />
        ))}
      </span>
      <span className={classes.word}>
        {state === "processed" && <IconCheck size={14} stroke={2.5} aria-hidden="true" />}
        {state === "interrupted" && <IconAlertTriangle size={14} stroke={2} aria-hidden="true" />}
        {words[state]}
      </span>
    </span>
  );
}
