import { lazy, Suspense, type ReactNode } from "react";
import { Link, Route, Switch } from "wouter";
import { Empty } from "./parts/empty.tsx";
import { paths } from "./routes.ts";
import { texts } from "./texts.ts";
import { OverviewView } from "./overview/overview-view.tsx";

const QueueView = lazy(async () => ({ default: (await import("./queue/queue-view.tsx")).QueueView }));
const JobsView = lazy(async () => ({ default: (await import("./queue/jobs-view.tsx")).JobsView }));
const JobView = lazy(async () => ({ default: (await import("./job/job-view.tsx")).JobView }));
const LettersView = lazy(async () => ({ default: (await import("./letters/letters-view.tsx")).LettersView }));
const GroupsView = lazy(async () => ({ default: (await import("./queue/groups-view.tsx")).GroupsView }));
const SchedulesView = lazy(async () => ({ default: (await import("./queue/schedules-view.tsx")).SchedulesView }));
const LimitsView = lazy(async () => ({ default: (await import("./queue/limits-view.tsx")).LimitsView }));
const ChannelView = lazy(async () => ({ default: (await import("./channel/channel-view.tsx")).ChannelView }));
const StreamView = lazy(async () => ({ default: (await import("./stream/stream-view.tsx")).StreamView }));
const GroupView = lazy(async () => ({ default: (await import("./stream/group-view.tsx")).GroupView }));
const TasksView = lazy(async () => ({ default: (await import("./tasks/tasks-view.tsx")).TasksView }));
const HealthView = lazy(async () => ({ default: (await import("./health/health-view.tsx")).HealthView }));
const AuditView = lazy(async () => ({ default: (await import("./audit/audit-view.tsx")).AuditView }));

/** Each view is a file of its own, which is loaded when somebody goes there. */
export function Views(): ReactNode {
  return (
    <Suspense fallback={null}>
      <Switch>
        <Route path="/" component={OverviewView} />
        <Route path="/queues/:queue">{({ queue }) => <QueueView key={queue} queue={queue} />}</Route>
        <Route path="/queues/:queue/jobs">{({ queue }) => <JobsView key={queue} queue={queue} />}</Route>
        <Route path="/queues/:queue/jobs/:id">{({ queue, id }) => <JobView key={`${queue}/${id}`} queue={queue} id={id} />}</Route>
        <Route path="/queues/:queue/letters">{({ queue }) => <LettersView key={queue} queue={queue} />}</Route>
        <Route path="/queues/:queue/groups">{({ queue }) => <GroupsView key={queue} queue={queue} />}</Route>
        <Route path="/queues/:queue/schedules">{({ queue }) => <SchedulesView key={queue} queue={queue} />}</Route>
        <Route path="/queues/:queue/limits">{({ queue }) => <LimitsView key={queue} queue={queue} />}</Route>
        <Route path="/channels/:channel">{({ channel }) => <ChannelView key={channel} channel={channel} />}</Route>
        <Route path="/streams/:stream">{({ stream }) => <StreamView key={stream} stream={stream} />}</Route>
        <Route path="/streams/:stream/groups/:group">
          {({ stream, group }) => <GroupView key={`${stream}/${group}`} stream={stream} group={group} />}
        </Route>
        <Route path="/tasks" component={TasksView} />
        <Route path="/health" component={HealthView} />
        <Route path="/audit" component={AuditView} />
        <Route>
          <Empty title={texts.notFound}>
            <Link href={paths.overview}>{texts.nav.overview}</Link>
          </Empty>
        </Route>
      </Switch>
    </Suspense>
  );
}
