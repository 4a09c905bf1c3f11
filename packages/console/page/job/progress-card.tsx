import { Progress } from "@mantine/core";
import type { ReactNode } from "react";
import { JsonView } from "../json/json-view.tsx";
import { Card } from "../list/card.tsx";
import { texts } from "../texts.ts";

/** How far its handler said it is: a bar where that is a share or a percentage, with what it said besides. */
export function ProgressCard({ progress }: { readonly progress: unknown }): ReactNode {
  if (progress === undefined || progress === null) return null;
  const percent = percentOf(progress);
  const isMore = typeof progress === "object" && Object.keys(progress).length > 1;
  return (
    <Card title={percent === undefined ? texts.job.progress : texts.job.progressOf(percent)}>
      {percent === undefined ? (
        <JsonView label={texts.job.progress} value={progress} maxHeight={160} />
      ) : (
        <>
          <Progress value={percent} aria-label={texts.job.progress} size="lg" mb={isMore ? "md" : 0} />
          {isMore && <JsonView label={texts.job.progress} value={progress} maxHeight={160} />}
        </>
      )}
    </Card>
  );
}

function percentOf(progress: unknown): number | undefined {
  const value: unknown = typeof progress === "object" && progress !== null && "percent" in progress ? progress.percent : progress;
  if (typeof value !== "number" || !(value >= 0 && value <= 100)) return undefined;
  return Math.round(value <= 1 && value !== 0 && !Number.isInteger(value) ? value * 100 : value);
}
