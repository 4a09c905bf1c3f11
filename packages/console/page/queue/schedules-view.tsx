import type { ReactNode } from "react";
import type { SchedulesPage } from "../../src/api/schedule.ts";
import { Card } from "../list/card.tsx";
import { More } from "../list/more.tsx";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { usePages } from "../server/queries.ts";
import { useRefreshed } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import { QueueFrame } from "./queue-frame.tsx";
import { ScheduleCard } from "./schedule-card.tsx";
import classes from "./schedules-view.module.css";

/** What comes by itself, and when, by the reader's clock and by its own. */
export function SchedulesView({ queue }: { readonly queue: string }): ReactNode {
  const path = `queues/${queue}/schedules`;
  const query = usePages<SchedulesPage>(path);
  useRefreshed(`queue:${queue}`, ["pages", path]);
  return (
    <QueueFrame queue={queue}>
      <Answered query={query}>
        {({ pages }) => {
          const schedules = pages.flatMap((page) => page.schedules);
          if (schedules.length === 0) {
            return (
              <Card title={texts.schedules.title}>
                <Empty title={texts.schedules.none}>{texts.schedules.noneText}</Empty>
              </Card>
            );
          }
          return (
            <>
              <ul className={classes.schedules} aria-label={texts.schedules.title} data-list>
                {schedules.map((schedule) => (
                  <ScheduleCard key={schedule.name} queue={queue} schedule={schedule} />
                ))}
              </ul>
              {query.hasNextPage && <More shown={schedules.length} query={query} />}
            </>
          );
        }}
      </Answered>
    </QueueFrame>
  );
}
