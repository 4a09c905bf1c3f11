import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { mostWorkers } from "../limits.ts";
import type { Snapshot, WorkerView } from "../snapshot.ts";
import { killWorker, startWorker, stopWorker } from "./api.ts";
import { useAction } from "../../site/page/failures.tsx";
import { countOf, formatCount } from "../../site/page/format.ts";
import { Panel } from "../../site/page/panel.tsx";
import classes from "./workers-panel.module.css";

export function WorkersPanel({ snapshot }: { readonly snapshot: Snapshot | undefined }): ReactNode {
  const starting = useAction();
  const workers = snapshot?.workers ?? [];
  const living = workers.filter((worker) => !isGone(worker)).length;
  return (
    <Panel
      title="Workers"
      explanation="Kill one: its orders go back to the head of the queue; none is lost."
      aside={
        <Button
          variant="default"
          size="xs"
          leftSection={<IconPlus size={15} />}
          disabled={living >= mostWorkers}
          onClick={() => starting.run(startWorker)}
        >
          Start a worker
        </Button>
      }
    >
      <ul className={classes.list} data-testid="workers">
        {workers.map((worker) => (
          <WorkerRow key={worker.workerId} worker={worker} isOnlyOne={living === 0} />
        ))}
        {snapshot && workers.length === 0 && <li className={classes.empty}>No worker runs. Orders wait in the queue until one does.</li>}
      </ul>
    </Panel>
  );
}

function WorkerRow({ worker, isOnlyOne }: { readonly worker: WorkerView; readonly isOnlyOne: boolean }): ReactNode {
  const { workerId, state } = worker;
  const stopping = useAction();
  const killing = useAction();
  return (
    <li className={classes.row} data-state={state} data-worker={workerId}>
      <span className={classes.dot} aria-hidden="true" />
      <span className={classes.name}>
        Worker {workerId}
        {state !== "ready" && <span className={classes.state}> {words[state]}</span>}
      </span>
      <span className={classes.what}>{whatItDoes(worker, isOnlyOne)}</span>
      {!isGone(worker) && (
        <span className={classes.buttons}>
          <Button
            variant="default"
            size="xs"
            aria-label={`Stop worker ${workerId}`}
            disabled={state === "stopping"}
            onClick={() => stopping.run(() => stopWorker(workerId))}
          >
            Stop
          </Button>
          <Button
            variant="default"
            size="xs"
            c="var(--kl-danger)"
            aria-label={`Kill worker ${workerId}`}
            onClick={() => killing.run(() => killWorker(workerId))}
          >
            Kill
          </Button>
        </span>
      )}
    </li>
  );
}

const words = { starting: "starts", ready: "", stopping: "finishes what it has", killed: "was killed", failed: "ended by itself" };

function whatItDoes(worker: WorkerView, isOnlyOne: boolean): string {
  const { holds, interrupted, processed } = worker;
  if (!isGone(worker)) return `${formatCount(holds.length)} running, ${formatCount(processed)} done`;
  if (holds.length > 0) {
    const when = isOnlyOne ? "when another worker starts" : "within 3 seconds";
    return `its ${countOf(holds.length, "order")} go back ${when}`;
  }
  return interrupted > 0 ? `others have its ${countOf(interrupted, "order")} now` : "it had no orders";
}

function isGone({ state }: WorkerView): boolean {
  return state === "killed" || state === "failed";
}
