import { Button } from "@mantine/core";
import { IconArrowUp, IconHistoryOff, IconRestore } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { useAction } from "../../site/page/failures.tsx";
import { countOf } from "../../site/page/format.ts";
import classes from "./dividers.module.css";
import type { Gone } from "./timeline.ts";

/** Stands between what was there before an absence and what came during it, which is above. */
export function MissedDivider({ count }: { readonly count: number }): ReactNode {
  return (
    <p className={classes.divider} data-kind="missed">
      <span className={classes.text}>
        <IconArrowUp size={14} stroke={2.25} aria-hidden="true" />
        You missed {countOf(count, "post")}
      </span>
    </p>
  );
}

interface GoneDividerProps {
  readonly gone: Gone;
  restore(gone: Gone): Promise<void>;
}

/** Stands where the channel's history cannot bring what is missing. */
export function GoneDivider({ gone, restore }: GoneDividerProps): ReactNode {
  const action = useAction();
  const { channel, state, restored } = gone;
  return (
    <div className={classes.divider} data-kind="gone">
      {state === "restored" ? (
        <span className={classes.text} role="status">
          <IconRestore size={14} stroke={2.25} aria-hidden="true" />
          {restored === 0 ? "Nothing was missing here" : `${countOf(restored, "post")} came back from PostgreSQL`}
        </span>
      ) : (
        <>
          <span className={classes.text} title={`The history of ${channel} does not reach back to where this page was`}>
            <IconHistoryOff size={14} stroke={2.25} aria-hidden="true" />
            <span>
              Some posts are gone <span className={classes.where}>from #{channel}</span>
            </span>
          </span>
          <Button
            variant="default"
            size="compact-sm"
            loading={state === "restoring"}
            onClick={() => action.run(() => restore(gone))}
            aria-label={`Bring back the posts of ${channel} from PostgreSQL`}
          >
            Bring back
          </Button>
        </>
      )}
    </div>
  );
}
