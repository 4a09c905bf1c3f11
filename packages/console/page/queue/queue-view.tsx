import type { ReactNode } from "react";
import type { QueueView as View } from "../../src/api/queue.ts";
import { formatCount, formatRate } from "../format/numbers.ts";
import { formatDuration } from "../format/relative-time.ts";
import { Answered } from "../parts/answered.tsx";
import { LossesCard } from "../parts/losses-card.tsx";
import { Tile, Tiles } from "../parts/tile.tsx";
import { paths } from "../routes.ts";
import { useQueue } from "../server/queries.ts";
import { texts } from "../texts.ts";
import { DurationsCard } from "./durations-card.tsx";
import { QueueFrame } from "./queue-frame.tsx";
import classes from "./queue-view.module.css";
import { RatesCard } from "./rates-card.tsx";
import { StoresCard } from "./stores-card.tsx";
import { WorkersCard } from "./workers-card.tsx";

/** How a queue does now: its jobs by state, its rates, and its workers. */
export function QueueView({ queue }: { readonly queue: string }): ReactNode {
  const query = useQueue(queue);
  return (
    <QueueFrame queue={queue}>
      <Answered query={query}>
        {(view) => (
          <>
            <Counts view={view} />
            <div className={classes.grid}>
              <RatesCard queue={queue} />
              <DurationsCard run={view.run} wait={view.wait} />
            </div>
            <div className={classes.halves}>
              <LossesCard of="queue" losses={view.losses} />
              {view.transactional && <StoresCard queue={queue} />}
            </div>
            <WorkersCard queue={queue} workers={view.workers} />
          </>
        )}
      </Answered>
    </QueueFrame>
  );
}

function Counts({ view: { name, counts, oldestWaitingMs, rates } }: { readonly view: View }): ReactNode {
  const count = (value: number | null | undefined): string => (typeof value === "number" ? formatCount(value) : "–");
  const inValkey = (value: number | undefined): string => count(counts?.isFromRows ? undefined : value);
  const of = (state: string): string => paths.jobs(name, { state });
  return (
    <div className={classes.counts}>
      <Tiles label={texts.queue.counts}>
        <Tile
          label={texts.states.waiting}
          value={count(counts?.waiting)}
          to={of("waiting")}
          detail={
            counts?.isFromRows
              ? texts.queue.inRows
              : oldestWaitingMs === null
                ? undefined
                : texts.queue.oldest(formatDuration(oldestWaitingMs).replaceAll(" ", "\u00a0"))
          }
        />
        <Tile label={texts.states.running} value={inValkey(counts?.running)} to={of("running")} />
        <Tile
          label={texts.states.scheduled}
          value={count(counts?.scheduled)}
          to={of("scheduled")}
          detail={counts?.parked === null ? texts.queue.withParked : undefined}
        />
        <Tile label={texts.states.blocked} value={inValkey(counts?.blocked)} to={of("blocked")} />
        <Tile label={texts.states.parked} value={count(counts?.parked)} to={of("parked")} />
        <Tile
          label={texts.states.dead}
          value={count(counts?.dead)}
          to={paths.letters(name)}
          tone={(counts?.dead ?? 0) > 0 ? "danger" : "plain"}
          detail={counts?.dropped ? texts.queue.dropped(formatCount(counts.dropped)) : undefined}
        />
      </Tiles>
      {rates && (
        <Tiles label={texts.queue.ratesNow}>
          <Tile label={texts.queue.addedRate} value={formatRate(rates.added)} />
          <Tile label={texts.queue.completedRate} value={formatRate(rates.completed)} />
          <Tile label={texts.queue.failedRate} value={formatRate(rates.failed)} tone={rates.failed > 0 ? "danger" : "plain"} />
          <Tile label={texts.queue.deadRate} value={formatRate(rates.dead)} tone={rates.dead > 0 ? "danger" : "plain"} />
          <Tile label={texts.queue.cancelledRate} value={formatRate(rates.cancelled)} />
        </Tiles>
      )}
    </div>
  );
}
