import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useTasks } from "../server/queries.ts";
import { texts } from "../texts.ts";
import classes from "./task-dock.module.css";
import { TaskProgress } from "./task-progress.tsx";

const keptMs = 6_000;

/** What goes on in the server, above every view, until a while after its end. */
export function TaskDock(): ReactNode {
  const { data } = useTasks();
  const client = useQueryClient();
  const [ended, setEnded] = useState<ReadonlySet<string>>(new Set());
  const running = useRef<ReadonlySet<string>>(new Set());
  const tasks = data?.tasks ?? [];
  useEffect(() => {
    const now = new Set(tasks.filter(({ state }) => state === "running").map(({ id }) => id));
    const justEnded = [...running.current].filter((id) => !now.has(id));
    running.current = now;
    if (justEnded.length === 0) return undefined;
    // What it changed is shown elsewhere on the page.
    void client.invalidateQueries({ queryKey: ["pages"] });
    setEnded((before) => new Set([...before, ...justEnded]));
    const timer = setTimeout(() => setEnded((before) => new Set([...before].filter((id) => !justEnded.includes(id)))), keptMs);
    return () => clearTimeout(timer);
  }, [data, client]);
  const shown = tasks.filter(({ id, state }) => state === "running" || ended.has(id));
  if (shown.length === 0) return null;
  return (
    <section className={classes.dock} aria-label={texts.tasks.dock}>
      {shown.map((task) => (
        <TaskProgress key={task.id} task={task} />
      ))}
    </section>
  );
}
