import type { ReactNode } from "react";
import type { Task } from "../../src/api/task.ts";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Heading } from "../parts/heading.tsx";
import { When } from "../parts/when.tsx";
import { useTasks } from "../server/queries.ts";
import { texts } from "../texts.ts";
import { TaskProgress } from "./task-progress.tsx";

const words = texts.tasks;

const columns: readonly Column<Task>[] = [
  { header: words.task, isTitle: true, cell: (task) => <TaskProgress task={task} /> },
  { header: words.who, cell: ({ who }) => who },
  { header: words.begun, cell: ({ startedAt }) => <When at={startedAt} /> },
  { header: words.ended, cell: ({ endedAt }) => (endedAt === null ? null : <When at={endedAt} />) },
];

/** Acts on many that go on in the server, or went on in the last hour. */
export function TasksView(): ReactNode {
  const query = useTasks();
  return (
    <>
      <Heading title={words.title} />
      <Card title={words.list} isFlush>
        <Answered query={query}>
          {({ tasks }) =>
            tasks.length === 0 ? (
              <Empty title={words.none}>{words.noneText}</Empty>
            ) : (
              <List label={words.title} rows={tasks} columns={columns} keyOf={({ id }) => id} />
            )
          }
        </Answered>
      </Card>
    </>
  );
}
