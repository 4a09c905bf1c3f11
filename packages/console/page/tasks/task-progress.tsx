import { Progress } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { Task } from "../../src/api/task.ts";
import { OperatorButton } from "../acts/act-button.tsx";
import { useNotices } from "../acts/notices.tsx";
import { formatCount } from "../format/numbers.ts";
import { queryClient } from "../server/query-client.ts";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";
import classes from "./task-progress.module.css";

const words = texts.tasks;

/** How far a task is, and the way to stop it. */
export function TaskProgress({ task }: { readonly task: Task }): ReactNode {
  const { act, target, state, done, total, error } = task;
  const percent = state === "done" || total === 0 ? 100 : total === null ? 0 : Math.min(100, (100 * done) / total);
  const name = words.what(words.acts[act], target);
  return (
    <div className={classes.task}>
      <div className={classes.head}>
        <strong className={classes.name}>{name}</strong>
        {state === "running" && <Stop id={task.id} name={name} />}
      </div>
      <Progress
        value={percent}
        size="md"
        striped={state === "running"}
        color={state === "failed" ? "red" : state === "stopped" ? "yellow" : "cobalt"}
        aria-label={name}
      />
      <div className={classes.foot}>
        <span>{total === null ? words.done(formatCount(done)) : words.doneOf(formatCount(done), formatCount(total))}</span>
        <span>{texts.states[state]}</span>
      </div>
      {error !== null && <div className={classes.error}>{error}</div>}
    </div>
  );
}

function Stop({ id, name }: { readonly id: string; readonly name: string }): ReactNode {
  const { fail } = useNotices();
  const [isUnderWay, setUnderWay] = useState(false);
  const stop = (): void => {
    setUnderWay(true);
    post(`tasks/${id}/stop`)
      .then(() => queryClient.invalidateQueries({ queryKey: ["live", "tasks"] }))
      .catch(fail)
      .finally(() => setUnderWay(false));
  };
  return <OperatorButton size="compact-xs" label={words.stop} name={words.stopOf(name)} loading={isUnderWay} onClick={stop} />;
}
