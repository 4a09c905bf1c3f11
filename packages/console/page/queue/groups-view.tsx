import { SegmentedControl } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { GroupsPage, QueueGroup } from "../../src/api/group.ts";
import { ActButton } from "../acts/act-button.tsx";
import { formatCount } from "../format/numbers.ts";
import { Card } from "../list/card.tsx";
import { List, type Column } from "../list/list.tsx";
import { More } from "../list/more.tsx";
import { useFilter } from "../list/use-filter.ts";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { StateTag } from "../parts/state-tag.tsx";
import { When } from "../parts/when.tsx";
import { paths } from "../routes.ts";
import { queryClient } from "../server/query-client.ts";
import { usePages } from "../server/queries.ts";
import { post } from "../server/request.ts";
import { useRefreshed } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import { FromRows } from "./from-rows.tsx";
import classes from "./groups-view.module.css";
import { QueueFrame } from "./queue-frame.tsx";

const words = texts.groups;
const states = ["", "blocked", "paused", "running"] as const;

/** Groups whose jobs run one after the other: which stand, and behind what. */
export function GroupsView({ queue }: { readonly queue: string }): ReactNode {
  const [{ state }, setFilter] = useFilter();
  const path = `queues/${queue}/groups`;
  const query = usePages<GroupsPage>(path, { state });
  useRefreshed(`queue:${queue}`, ["pages", path]);
  return (
    <QueueFrame queue={queue}>
      <Card
        title={words.title}
        isFlush
        aside={
          <div className={classes.aside}>
            <FromRows pages={query.data?.pages} text={words.fromRows} />
            <SegmentedControl
              size="xs"
              aria-label={texts.jobs.state}
              value={state ?? ""}
              onChange={(value) => setFilter({ state: value === "" ? undefined : value })}
              data={states.map((value) => ({ value, label: value === "" ? texts.jobs.all : texts.states[value] }))}
            />
          </div>
        }
      >
        <Answered query={query}>
          {({ pages }) => {
            const rows = pages.flatMap(({ groups }) => groups);
            const none = <Empty title={words.none}>{query.hasNextPage ? words.noneYet : words.noneText}</Empty>;
            if (rows.length === 0 && !query.hasNextPage) return none;
            return (
              <>
                {rows.length === 0 ? none : <List label={words.title} rows={rows} columns={columnsOf(queue)} keyOf={({ name }) => name} />}
                <More shown={rows.length} query={query} />
              </>
            );
          }}
        </Answered>
      </Card>
    </QueueFrame>
  );
}

function columnsOf(queue: string): readonly Column<QueueGroup>[] {
  return [
    { header: words.name, isTitle: true, cell: ({ name }) => <Link href={paths.jobs(queue, { group: name })}>{name}</Link> },
    { header: texts.jobs.state, cell: ({ state }) => <StateTag state={state} /> },
    { header: words.waiting, isNumber: true, cell: ({ waiting }) => formatCount(waiting) },
    {
      header: words.blockedBy,
      isLong: true,
      cell: ({ blockedBy }) =>
        blockedBy === null ? null : (
          <Link href={paths.job(queue, blockedBy)} className="mono">
            {blockedBy}
          </Link>
        ),
    },
    { header: words.since, cell: ({ since }) => (since === null ? null : <When at={since} />) },
    { header: texts.acts.column, isActs: true, isNarrow: true, cell: (group) => <PauseGroup queue={queue} group={group} /> },
  ];
}

function PauseGroup({ queue, group: { name, state } }: { readonly queue: string; readonly group: QueueGroup }): ReactNode {
  const act = async (what: "pause" | "resume"): Promise<void> => {
    await post(`queues/${queue}/${what}`, { group: name });
    await queryClient.invalidateQueries({ queryKey: ["pages", `queues/${queue}/groups`] });
  };
  if (state === "paused") {
    return (
      <ActButton
        size="compact-sm"
        label={texts.queue.resume}
        name={words.resumeOf(name)}
        run={async () => {
          await act("resume");
          return texts.queue.resumed(name);
        }}
      />
    );
  }
  return (
    <ActButton
      size="compact-sm"
      label={texts.queue.pause}
      name={words.pauseOf(name)}
      question={{ title: words.pauseTitle(name), text: words.pauseText, button: texts.queue.pause }}
      run={async () => {
        await act("pause");
        return texts.queue.pausedNow(name);
      }}
    />
  );
}
