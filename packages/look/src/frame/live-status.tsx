import type { ReactNode } from "react";
import classes from "./live-status.module.css";

interface StatusProps<State extends string> {
  /** "live" and "lost" have a look of their own. */
  readonly state: State;
  readonly words: Readonly<Record<State, string>>;
  /** Whether those who listen are told when it changes: not where the page says so in other words. */
  readonly isTold?: boolean;
}

/** In the header: whether what the page shows is what there is. */
export function LiveStatus<State extends string>({ state, words, isTold = false }: StatusProps<State>): ReactNode {
  return (
    <span className={classes.status} data-state={state} role={isTold ? "status" : undefined}>
      <span className={classes.word}>{words[state]}</span>
    </span>
  );
}
