import { Button, Progress, SegmentedControl } from "@mantine/core";
import { useId, type ReactNode } from "react";
import type { BurstView, Snapshot } from "../snapshot.ts";
import { placeBurst, setLabelTime } from "./api.ts";
import classes from "./burst-panel.module.css";
import { useAction } from "../../site/page/failures.tsx";
import { countOf, formatCount, formatDuration } from "../../site/page/format.ts";
import { Panel } from "../../site/page/panel.tsx";

const sizes = [100, 1_000, 10_000] as const;

const labelTimes = [
  { value: "0", label: "0 s" },
  { value: "100", label: "0.1 s" },
  { value: "1000", label: "1 s" },
];

export function BurstPanel({ snapshot }: { readonly snapshot: Snapshot | undefined }): ReactNode {
  const action = useAction();
  const labelTime = useAction();
  const labelId = useId();
  return (
    <Panel title="Place many at once">
      <div className={classes.sizes}>
        {sizes.map((count) => (
          <Button
            key={count}
            variant="default"
            size="md"
            px={0}
            aria-label={`Place ${formatCount(count)} orders`}
            onClick={() => action.run(() => placeBurst(count))}
          >
            {formatCount(count)}
          </Button>
        ))}
      </div>
      <BurstProgress burst={snapshot?.burst ?? null} />
      <div className={classes.labelTime}>
        <span id={labelId}>Printing one label takes</span>
        <SegmentedControl
          fullWidth
          aria-labelledby={labelId}
          data={labelTimes}
          value={String(snapshot?.labelMs ?? 100)}
          onChange={(value) => labelTime.run(() => setLabelTime(Number(value)))}
        />
      </div>
    </Panel>
  );
}

function BurstProgress({ burst }: { readonly burst: BurstView | null }): ReactNode {
  const { total = 0, done = 0 } = burst ?? {};
  const percent = total === 0 ? 0 : (100 * done) / total;
  return (
    <div className={classes.progress}>
      <Progress.Root size={10} radius="xl">
        <Progress.Section
          value={percent}
          // Mantine's own would say the percentage with all its decimals.
          withAria={false}
          role="progressbar"
          aria-label="Orders of the burst that are processed"
          aria-valuemin={0}
          aria-valuemax={total}
          aria-valuenow={done}
          aria-valuetext={`${formatCount(done)} of ${formatCount(total)}`}
        />
      </Progress.Root>
      <p className={classes.line}>
        <span>{burst ? `${formatCount(done)} of ${countOf(total, "order")} processed` : "No burst yet."}</span>
        {burst && <span>{formatDuration(burst.elapsedMs)}</span>}
      </p>
      {burst?.problem && <p className={classes.problem}>{burst.problem}</p>}
    </div>
  );
}
