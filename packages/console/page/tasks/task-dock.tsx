import { useQueryClient } from "@tanstack/react-query";
import { useEffect, type ReactNode } from "react";
import type { Task } from "../../src/api/task.ts";
import { useOfNow } from "../format/clock.ts";
import { useTasks } from "../server/queries.ts";
import { serverNow } from "../server/server-clock.ts";
import { texts } from "../texts.ts";
import classes from "./task-dock.module.css";
import { TaskProgress } from "./task-progress.tsx";

const shownMs = 8_000;
const none: readonly Task[] = [];

/** What goes on in the server, above every view, until a while after its end. */
export function TaskDock(): ReactNode {
  const { data } = useTasks();
  const client = useQueryClient();
  const tasks = data?.tasks ?? none;
  const running = tasks.filter(({ state }) => state === "running").length;
  useEffect(() => {
    // What it changed is shown elsewhere on the page.
    void client.invalidateQueries({ queryKey: ["pages"] });
  }, [client, tasks.length, running]);
  const shown = useOfNow(() => tasks.filter(isShown).length);
  if (shown === 0) return null;
  return (
    <section className={classes.dock} aria-label={texts.tasks.dock}>
      {tasks.filter(isShown).map((task) => (
        <TaskProgress key={task.id} task={task} />
      ))}
    </section>
  );
}

function isShown({ endedAt }: Task): boolean {
  return endedAt === null || serverNow() - endedAt < shownMs;
}
