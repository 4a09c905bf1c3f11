import { Progress } from "@mantine/core";
import type { ReactNode } from "react";
import type { ValkeyHealth } from "../../src/api/health.ts";
import { formatBytes, formatCount } from "../format/numbers.ts";
import { formatDuration } from "../format/relative-time.ts";
import { Card } from "../list/card.tsx";
import { texts } from "../texts.ts";
import { Fact } from "./fact.tsx";
import classes from "./health-view.module.css";
import { StoreState } from "./store-state.tsx";

const words = texts.health;

export function ValkeyCard({ valkey }: { readonly valkey: ValkeyHealth }): ReactNode {
  const { state, version, roundTripMs, policy, persistence, role, evictedKeys, isCluster, clockSkewMs } = valkey;
  return (
    <Card title={words.valkey} aside={<StoreState state={state} />}>
      <dl className={classes.facts}>
        <Fact label={words.version} value={version} />
        <Fact label={words.roundTrip} value={roundTripMs === null ? null : formatDuration(roundTripMs)} />
        <Fact label={words.memory} value={<Memory valkey={valkey} />} />
        <Fact label={words.policy} value={policy} />
        <Fact label={words.persistence} value={persistence} />
        <Fact label={words.role} value={role === null ? null : isCluster === true ? words.inCluster(role) : role} />
        <Fact label={words.evicted} value={evictedKeys === null ? null : formatCount(evictedKeys)} />
        <Fact label={words.skew} value={clockSkewMs === null ? null : formatDuration(Math.abs(clockSkewMs))} />
      </dl>
    </Card>
  );
}

function Memory({ valkey: { usedBytes, maxBytes } }: { readonly valkey: ValkeyHealth }): ReactNode {
  if (usedBytes === null) return "–";
  if (maxBytes === null || maxBytes === 0) return words.memoryUnlimited(formatBytes(usedBytes));
  const percent = (100 * usedBytes) / maxBytes;
  return (
    <>
      {words.memoryOf(formatBytes(usedBytes), formatBytes(maxBytes))}
      <Progress
        className={classes.memory ?? ""}
        value={percent}
        color={percent > 85 ? "red" : "cobalt"}
        size="sm"
        aria-label={words.memory}
      />
    </>
  );
}
