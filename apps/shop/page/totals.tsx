import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import type { Snapshot } from "../snapshot.ts";
import { redriveDead } from "./api.ts";
import { useAction } from "../../site/page/failures.tsx";
import { countOf, formatCount } from "../../site/page/format.ts";
import classes from "./totals.module.css";

/** All orders there are. Lost would be an order that is neither processed nor has a job that would process it. */
export function TotalsLine({ snapshot }: { readonly snapshot: Snapshot | undefined }): ReactNode {
  const { placed, processed, lost } = snapshot?.totals ?? { placed: 0, processed: 0, lost: 0 };
  const dead = snapshot?.counts.dead ?? 0;
  return (
    <div className={classes.totals}>
      <p data-testid="totals" title="Lost would be an order that is not processed and has no job">
        placed <b>{formatCount(placed)}</b> <i>·</i> processed <b>{formatCount(processed)}</b> <i>·</i> lost{" "}
        <b data-lost={lost > 0}>{formatCount(lost)}</b>
      </p>
      {dead > 0 && <DeadOrders count={dead} />}
    </div>
  );
}

function DeadOrders({ count }: { readonly count: number }): ReactNode {
  const action = useAction();
  return (
    <p>
      {countOf(count, "order")} given up after ten attempts{" "}
      <Button variant="default" size="compact-sm" onClick={() => action.run(redriveDead)}>
        Try again
      </Button>
    </p>
  );
}
