import { Button } from "@mantine/core";
import { useResizeObserver } from "@mantine/hooks";
import type { CSSProperties, ReactNode } from "react";
import { useAction } from "../../site/page/failures.tsx";
import { countOf, formatCount } from "../../site/page/format.ts";
import { placeBurst } from "../../shop/page/api.ts";
import { useLive } from "../../shop/page/use-live.ts";
import type { Snapshot } from "../../shop/snapshot.ts";
import classes from "./queue-shape.module.css";
import { Shape } from "./shape.tsx";

const rows = 2;
const placedAtOnce = 10;

interface PlacedOrder {
  readonly orderId: number;
  /** 0 waiting, 1 running, 2 processed. */
  readonly stage: number;
  readonly row: number;
  readonly place: number;
}

/** Orders go through the queue of the shop. */
export function QueueShape(): ReactNode {
  const { snapshot } = useLive();
  const action = useAction();
  const [area, { width }] = useResizeObserver<HTMLOListElement>();
  const { waiting = 0, running = 0, scheduled = 0, processed = 0 } = snapshot?.counts ?? {};
  const workers = snapshot?.workers.filter(({ state }) => state === "ready").length ?? 0;
  return (
    <Shape
      name="Queue"
      type="list"
      what="Work that must be done once, by one of many workers, in order."
      href="/shop"
      application="Orders of a shop"
    >
      <div className={classes.queue}>
        <Stage count={waiting + scheduled} caption="waiting" />
        <Stage count={running} caption="running" isActive={running > 0} />
        <Stage count={processed} caption="processed" />
        <ol className={classes.orders} ref={area} aria-label="Orders on their way" data-testid="orders">
          {snapshot &&
            placeOrders(snapshot, columnsIn(width)).map(({ orderId, stage, row, place }) => (
              <li
                key={orderId}
                className={classes.order}
                data-stage={stage}
                style={{ "--stage": stage, "--row": row, "--place": place } as CSSProperties}
              >
                {orderId}
              </li>
            ))}
        </ol>
      </div>
      <div className={classes.foot}>
        <span>{snapshot && `${countOf(workers, "worker")}. `}Whatever happens to Valkey, each order is processed once.</span>
        <Button
          variant="default"
          size="compact-md"
          className={classes.place ?? ""}
          onClick={() => action.run(() => placeBurst(placedAtOnce))}
        >
          Place {placedAtOnce} orders
        </Button>
      </div>
    </Shape>
  );
}

interface StageProps {
  readonly count: number;
  readonly caption: string;
  readonly isActive?: boolean;
}

function Stage({ count, caption, isActive = false }: StageProps): ReactNode {
  return (
    <div className={classes.stage} data-active={isActive}>
      <span className={classes.count}>{formatCount(count)}</span>
      <span className={classes.caption}>{caption}</span>
    </div>
  );
}

/** How many orders stand beside each other in a third of this width. */
function columnsIn(width: number): number {
  return Math.max(1, Math.floor((width / 3 - 20) / 50));
}

/** In each stage the first that fit, each order once: what is processed may still be among what is taken next. */
function placeOrders({ next, workers, finished }: Snapshot, columns: number): PlacedOrder[] {
  const room = columns * rows;
  const placed = new Map<number, PlacedOrder>();
  const running = workers.filter(({ state }) => state !== "killed" && state !== "failed").flatMap(({ holds }) => holds);
  for (const [stage, orderIds] of [next, running, finished].entries()) {
    for (const [index, orderId] of orderIds.slice(0, room).entries()) {
      placed.set(orderId, { orderId, stage, row: Math.floor(index / columns), place: index % columns });
    }
  }
  return [...placed.values()].sort((a, b) => a.orderId - b.orderId);
}
