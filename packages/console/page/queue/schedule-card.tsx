import { IconPlayerPause, IconPlayerPlay, IconTrash } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { ScheduleRow } from "../../src/api/schedule.ts";
import { ActButton } from "../acts/act-button.tsx";
import { formatTick } from "../format/absolute-time.ts";
import { formatCount } from "../format/numbers.ts";
import { formatDuration } from "../format/relative-time.ts";
import { ownZone } from "../format/time-choice.ts";
import { Preview } from "../parts/preview.tsx";
import { Tag } from "../parts/tag.tsx";
import { When } from "../parts/when.tsx";
import { queryClient } from "../server/query-client.ts";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";
import classes from "./schedules-view.module.css";

const words = texts.schedules;

interface ScheduleCardProps {
  readonly queue: string;
  readonly schedule: ScheduleRow;
}

export function ScheduleCard({ queue, schedule }: ScheduleCardProps): ReactNode {
  const { name, cron, every, timezone, paused, lastAt, ticks, limit, payload } = schedule;
  return (
    <li className={classes.schedule} data-row={name} tabIndex={-1}>
      <div className={classes.head}>
        <h2 className={classes.name}>{name}</h2>
        {paused && <Tag tone="warn">{texts.states.paused}</Tag>}
        <div className={classes.acts}>
          <ScheduleActs queue={queue} schedule={schedule} />
        </div>
      </div>
      <p className={classes.rule}>
        {cron !== null && <code className="mono">{cron}</code>}
        {every !== null && words.every(formatDuration(every))}
        {cron !== null && <span>{words.inZone(timezone ?? texts.time.utc)}</span>}
        <span>{limit === null ? words.ticks(formatCount(ticks)) : words.ticksOf(formatCount(ticks), formatCount(limit))}</span>
        {lastAt !== null && (
          <span>
            {words.last} <When at={lastAt} isStop />
          </span>
        )}
      </p>
      <Ahead schedule={schedule} />
      <Preview text={payload.preview} />
    </li>
  );
}

function Ahead({ schedule: { ahead, timezone, cron, paused } }: { readonly schedule: ScheduleRow }): ReactNode {
  const zone = cron === null ? undefined : (timezone ?? "UTC");
  if (ahead.length === 0) return <p className={classes.rule}>{words.noMore}</p>;
  return (
    <table className={classes.ahead} data-paused={paused}>
      <caption className="visually-hidden">{words.next}</caption>
      <thead>
        <tr>
          <th scope="col">{words.next}</th>
          <th scope="col">{words.yourTime(ownZone)}</th>
          {zone !== undefined && zone !== ownZone && <th scope="col">{zone}</th>}
        </tr>
      </thead>
      <tbody>
        {ahead.map((at) => (
          <tr key={at}>
            <td>
              <When at={at} />
            </td>
            <td>{formatTick(at, undefined)}</td>
            {zone !== undefined && zone !== ownZone && <td>{formatTick(at, zone)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ScheduleActs({ queue, schedule: { name, paused } }: ScheduleCardProps): ReactNode {
  const act = async <Answer,>(what: "run" | "pause" | "resume" | "remove"): Promise<Answer> => {
    const answer = await post<Answer>(`queues/${queue}/schedules/${name}/${what}`);
    await queryClient.invalidateQueries({ queryKey: ["pages", `queues/${queue}/schedules`] });
    return answer;
  };
  return (
    <>
      <ActButton
        size="compact-sm"
        label={words.run}
        name={words.runOf(name)}
        question={{ title: words.runTitle(name), text: words.runText, button: words.run }}
        run={async () => words.ran((await act<{ id: string }>("run")).id)}
      />
      <ActButton
        size="compact-sm"
        label={paused ? texts.queue.resume : texts.queue.pause}
        name={paused ? words.resumeOf(name) : words.pauseOf(name)}
        leftSection={paused ? <IconPlayerPlay size={14} /> : <IconPlayerPause size={14} />}
        {...(!paused && { question: { title: words.pauseTitle(name), text: words.pauseText, button: texts.queue.pause } })}
        run={async () => {
          await act(paused ? "resume" : "pause");
          return paused ? texts.queue.resumed(name) : texts.queue.pausedNow(name);
        }}
      />
      <ActButton
        size="compact-sm"
        isDangerous
        label={words.remove}
        name={words.removeOf(name)}
        leftSection={<IconTrash size={14} />}
        variant="subtle"
        question={{ title: words.removeTitle(name), text: words.removeText, button: words.remove }}
        run={async () => {
          await act("remove");
          return words.removed(name);
        }}
      />
    </>
  );
}
