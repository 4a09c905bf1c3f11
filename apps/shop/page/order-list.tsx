import type { ReactNode } from "react";
import type { OrderView, Snapshot } from "../snapshot.ts";
import { formatCount, formatDuration } from "../../site/page/format.ts";
import classes from "./order-list.module.css";
import { OrderWay } from "./order-way.tsx";
import { Panel } from "../../site/page/panel.tsx";

export function OrderList({ snapshot }: { readonly snapshot: Snapshot | undefined }): ReactNode {
  const orders = snapshot?.orders ?? [];
  return (
    <Panel title="Latest orders">
      <ol className={classes.list} data-testid="orders">
        {orders.map((order) => (
          <li key={order.orderId} className={classes.row} data-state={order.state} data-order={order.orderId}>
            <span className={classes.number}>{order.orderId}</span>
            <span className={classes.details} title={order.details}>
              {order.details}
            </span>
            <span className={classes.way}>
              <OrderWay state={order.state} />
            </span>
            <span className={classes.timing}>
              <Timing order={order} />
            </span>
          </li>
        ))}
        {snapshot && orders.length === 0 && <li className={classes.empty}>No orders yet. Place the first one.</li>}
      </ol>
    </Panel>
  );
}

function Timing({ order }: { readonly order: OrderView }): ReactNode {
  const { state, ahead, workerId, attempt, waitedMs, ranMs } = order;
  const again = attempt > 1 ? `, attempt ${attempt}` : "";
  switch (state) {
    case "waiting":
      return ahead ? `${formatCount(ahead)} before it` : "next";
    case "running":
      return `worker ${workerId ?? "?"}${again}`;
    case "interrupted":
      return "goes back to the queue";
    case "processed":
      if (waitedMs === null || ranMs === null) return null;
      return (
        <>
          <span className={classes.waited}>waited {formatDuration(waitedMs)}, </span>
          {`ran ${formatDuration(ranMs)}${again}`}
        </>
      );
  }
}
