import type { CSSProperties, ReactNode } from "react";
import type { Snapshot } from "../snapshot.ts";
import classes from "./flow.module.css";
import { countOf, formatCount } from "../../site/page/format.ts";
import { Panel } from "../../site/page/panel.tsx";
import { Sparkline } from "./sparkline.tsx";

interface FlowProps {
  readonly snapshot: Snapshot | undefined;
  readonly throughput: readonly number[];
}

interface Chip {
  readonly orderId: number;
  readonly isInterrupted?: boolean;
}

const none = { waiting: 0, running: 0, processed: 0, scheduled: 0 };

/** Where all orders are: the three states, each with its count and some of its orders. */
export function Flow({ snapshot, throughput }: FlowProps): ReactNode {
  const { waiting, running, processed, scheduled } = snapshot?.counts ?? none;
  const ready = snapshot?.workers.filter((worker) => worker.state === "ready").length ?? 0;
  const rate = snapshot?.throughput ?? 0;
  return (
    <Panel title="Where the orders are">
      <ol className={classes.flow}>
        <Stage
          name="Waiting"
          count={waiting + scheduled}
          caption="in the queue"
          note="Next"
          chips={(snapshot?.next ?? []).map((orderId) => ({ orderId }))}
        />
        <Arrow isMoving={rate > 0} />
        <Stage
          name="Running"
          count={running}
          caption={snapshot && ready === 0 ? "no worker" : countOf(ready, "worker")}
          note="Now"
          isActive={running > 0}
          chips={chipsOfWorkers(snapshot)}
        />
        <Arrow isMoving={rate > 0} />
        <Stage
          name="Processed"
          count={processed}
          caption="in the table"
          note="Last"
          chips={(snapshot?.finished ?? []).map((orderId) => ({ orderId }))}
        />
      </ol>
      <div className={classes.throughput}>
        <p>
          <strong data-testid="throughput">{formatCount(rate)}</strong> {rate === 1 ? "order" : "orders"} per second
        </p>
        <Sparkline values={throughput} />
      </div>
    </Panel>
  );
}

interface StageProps {
  readonly name: string;
  readonly count: number;
  readonly caption: string;
  readonly note: string;
  readonly isActive?: boolean;
  readonly chips: readonly Chip[];
}

function Stage({ name, count, caption, note, isActive = false, chips }: StageProps): ReactNode {
  return (
    <li className={classes.stage} data-active={isActive}>
      <span className={classes.name}>{name}</span>
      <span className={classes.count} data-testid={`count-${name.toLowerCase()}`}>
        {formatCount(count)}
      </span>
      <span className={classes.caption}>{caption}</span>
      <ul className={classes.chips} style={widthFor(chips)} aria-label={`${note}: ${name.toLowerCase()} orders`}>
        {chips.map(({ orderId, isInterrupted = false }) => (
          <li
            key={orderId}
            className={classes.chip}
            data-interrupted={isInterrupted}
            title={isInterrupted ? "Its worker was killed" : undefined}
          >
            {orderId}
          </li>
        ))}
      </ul>
    </li>
  );
}

/** All chips are as wide as the longest number needs. */
function widthFor(chips: readonly Chip[]): CSSProperties {
  const digits = Math.max(3, ...chips.map(({ orderId }) => String(orderId).length));
  return { "--digits": digits } as CSSProperties;
}

function Arrow({ isMoving }: { readonly isMoving: boolean }): ReactNode {
  return (
    <li className={classes.arrow} data-moving={isMoving} role="presentation" aria-hidden="true">
      <svg viewBox="0 0 32 12" width="32" height="12" fill="none" strokeWidth="1.75" strokeLinecap="round" strokeLinejoin="round">
        <path d="M1 6h28" strokeDasharray="4 4" />
        <path d="M26 1.5 30.5 6 26 10.5" />
      </svg>
    </li>
  );
}

function chipsOfWorkers(snapshot: Snapshot | undefined): Chip[] {
  const chips = (snapshot?.workers ?? []).flatMap(({ state, holds }) => {
    const isInterrupted = state === "killed" || state === "failed";
    return holds.map((orderId) => ({ orderId, isInterrupted }));
  });
  return chips.sort((a, b) => a.orderId - b.orderId);
}
