import { VisuallyHidden } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { Snapshot, WorkerView } from "../snapshot.ts";
import { countOf } from "../../site/page/format.ts";

/** Says to screen readers what happened, where the page only shows changing numbers. */
export function Announcements({ snapshot }: { readonly snapshot: Snapshot | undefined }): ReactNode {
  const [seen, setSeen] = useState(snapshot);
  const [said, setSaid] = useState("");
  if (snapshot !== seen) {
    setSeen(snapshot);
    const news = snapshot && seen ? newsBetween(seen, snapshot) : [];
    if (news.length > 0) setSaid(news.join(" "));
  }
  return (
    <VisuallyHidden role="status" aria-live="polite">
      {said}
    </VisuallyHidden>
  );
}

function newsBetween(before: Snapshot, now: Snapshot): string[] {
  const news: string[] = [];
  const isDrained = ({ burst }: Snapshot): boolean => burst !== null && burst.done === burst.total;
  if (now.burst && isDrained(now) && (!isDrained(before) || before.burst?.total !== now.burst.total)) {
    news.push(`All ${countOf(now.burst.total, "order")} of the burst are processed.`);
  }
  for (const worker of now.workers) {
    const earlier = before.workers.find(({ workerId }) => workerId === worker.workerId);
    if (earlier?.state !== worker.state) news.push(...newsOfState(worker));
    else if (earlier.holds.length > 0 && worker.holds.length === 0 && worker.state === "killed") {
      news.push(`Other workers have the orders of worker ${worker.workerId} now.`);
    }
  }
  for (const { workerId, state } of before.workers) {
    const isGone = !now.workers.some((worker) => worker.workerId === workerId);
    if (isGone && state === "stopping") news.push(`Worker ${workerId} has stopped.`);
  }
  return news;
}

function newsOfState({ workerId, state, holds }: WorkerView): string[] {
  if (state === "ready") return [`Worker ${workerId} is ready.`];
  if (state === "killed") return [`Worker ${workerId} was killed; ${countOf(holds.length, "order")} go back to the queue.`];
  if (state === "failed") return [`Worker ${workerId} ended by itself.`];
  return [];
}
