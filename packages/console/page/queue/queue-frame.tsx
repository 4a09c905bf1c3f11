import { IconPlayerPause, IconPlayerPlay, IconPlus } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { QueueView } from "../../src/api/queue.ts";
import { ActButton } from "../acts/act-button.tsx";
import { Empty } from "../parts/empty.tsx";
import { Heading } from "../parts/heading.tsx";
import { Problems } from "../parts/problems.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { Tag } from "../parts/tag.tsx";
import { paths } from "../routes.ts";
import { ApiFailed } from "../server/api-failed.ts";
import { useQueue } from "../server/queries.ts";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";
import { AddJob } from "./add-job.tsx";

interface QueueFrameProps {
  readonly queue: string;
  readonly children: ReactNode;
}

/** Around all views of a queue: its name, whether it is paused, what is wrong with it, and the way to the other views. */
export function QueueFrame({ queue, children }: QueueFrameProps): ReactNode {
  const { data, error } = useQueue(queue);
  if (error instanceof ApiFailed && error.status === 404) return <Empty title={texts.queue.unknown(queue)} />;
  return (
    <>
      <Heading
        title={queue}
        isName
        crumbs={[{ text: texts.nav.overview, to: paths.overview }]}
        tags={<QueueTags view={data} />}
        acts={data && <QueueActs view={data} />}
      />
      <Tabs
        label={texts.queue.views}
        tabs={[
          { text: texts.queue.now, to: paths.queue(queue) },
          { text: texts.queue.jobs, to: paths.jobs(queue) },
          { text: texts.queue.letters, to: paths.letters(queue), count: data?.counts?.dead },
          { text: texts.queue.groups, to: paths.groups(queue) },
          { text: texts.queue.schedules, to: paths.schedules(queue), count: data?.schedules },
          { text: texts.queue.limits, to: paths.limits(queue) },
        ]}
      />
      <Problems problems={data?.problems ?? []} />
      {children}
    </>
  );
}

function QueueTags({ view }: { readonly view: QueueView | undefined }): ReactNode {
  return (
    <>
      <Tag>{texts.kinds.queue}</Tag>
      {view?.transactional === true && <Tag>{texts.transactional}</Tag>}
      {view?.paused === true && <Tag tone="warn">{texts.states.paused}</Tag>}
    </>
  );
}

function QueueActs({ view: { name, paused } }: { readonly view: QueueView }): ReactNode {
  return (
    <>
      <AddJob queue={name} icon={<IconPlus size={16} />} />
      {paused ? (
        <ActButton
          label={texts.queue.resume}
          variant="filled"
          leftSection={<IconPlayerPlay size={16} />}
          run={async () => {
            await post(`queues/${name}/resume`);
            return texts.queue.resumed(name);
          }}
        />
      ) : (
        <ActButton
          label={texts.queue.pause}
          leftSection={<IconPlayerPause size={16} />}
          question={{ title: texts.queue.pauseTitle(name), text: texts.queue.pauseText, button: texts.queue.pause }}
          run={async () => {
            await post(`queues/${name}/pause`);
            return texts.queue.pausedNow(name);
          }}
        />
      )}
    </>
  );
}
