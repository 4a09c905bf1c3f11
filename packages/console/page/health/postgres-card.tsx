import type { ReactNode } from "react";
import type { PostgresHealth } from "../../src/api/health.ts";
import { formatCount } from "../format/numbers.ts";
import { formatDuration } from "../format/relative-time.ts";
import { Card } from "../list/card.tsx";
import { Empty } from "../parts/empty.tsx";
import { texts } from "../texts.ts";
import { Fact } from "./fact.tsx";
import classes from "./health-view.module.css";
import { StoreState } from "./store-state.tsx";

const words = texts.health;

export function PostgresCard({ postgres }: { readonly postgres: PostgresHealth }): ReactNode {
  const { state, version, roundTripMs, migration, pool, relay } = postgres;
  return (
    <Card title={words.postgres} aside={<StoreState state={state} />}>
      {state === "unused" ? (
        <Empty title={words.unused}>{words.unusedText}</Empty>
      ) : (
        <dl className={classes.facts}>
          <Fact label={words.version} value={version} />
          <Fact label={words.roundTrip} value={roundTripMs === null ? null : formatDuration(roundTripMs)} />
          <Fact label={words.migration} value={migration === null ? null : migrationText(migration)} />
          <Fact
            label={words.pool}
            value={pool === null ? null : words.poolText(formatCount(pool.busy), formatCount(pool.size), formatCount(pool.waiting))}
          />
          <Fact label={words.backlog} value={relay?.backlog === null || relay === null ? null : formatCount(relay.backlog)} />
          <Fact label={words.relayLag} value={relay?.oldestMs === null || relay === null ? null : formatDuration(relay.oldestMs)} />
        </dl>
      )}
    </Card>
  );
}

function migrationText({ at, newest }: { readonly at: number | null; readonly newest: number }): string {
  if (at === null) return words.neverMigrated;
  return at === newest ? words.migrated(at) : words.migrationPending(at, newest);
}
