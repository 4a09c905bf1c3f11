import { Button, Loader } from "@mantine/core";
import type { ReactNode } from "react";
import { useAction } from "./failures.tsx";
import classes from "./list-end.module.css";

interface ListEndProps {
  readonly state: "loading" | "failed" | "ready";
  /** What the rows are: "posts". */
  readonly noun: string;
  /** Said when it has failed. */
  readonly failure: string;
  /** Said where there are no rows; undefined where there are some. */
  readonly empty: string | undefined;
  readonly hasOlder: boolean;
  onRetry(): void;
  loadOlder(): Promise<void>;
}

/** What is to be said or done where rows end, or should be. */
export function ListEnd({ state, noun, failure, empty, hasOlder, onRetry, loadOlder }: ListEndProps): ReactNode {
  const older = useAction();
  return (
    <>
      {state === "loading" && (
        <div className={classes.end}>
          <Loader size="sm" aria-label={`Loading ${noun}`} />
        </div>
      )}
      {state === "failed" && (
        <div className={classes.end} role="status">
          <span>{failure}</span>
          <Button variant="default" size="xs" onClick={onRetry}>
            Try again
          </Button>
        </div>
      )}
      {state === "ready" && empty !== undefined && <p className={classes.end}>{empty}</p>}
      {hasOlder && (
        <div className={classes.end}>
          <Button variant="default" loading={older.isUnderWay} onClick={() => older.run(loadOlder)}>
            Show older {noun}
          </Button>
        </div>
      )}
    </>
  );
}
