import type { ReactNode } from "react";
import { ConnectionStatus } from "../../site/page/connection-status.tsx";
import { Failures } from "../../site/page/failures.tsx";
import { Frame } from "../../site/page/frame.tsx";
import { Intro } from "../../site/page/intro.tsx";
import { Announcements } from "./announcements.tsx";
import { BurstPanel } from "./burst-panel.tsx";
import { ConnectionBanner } from "./connection.tsx";
import { Flow } from "./flow.tsx";
import { OrderList } from "./order-list.tsx";
import { PlaceOrder } from "./place-order.tsx";
import classes from "./shop-page.module.css";
import { TotalsLine } from "./totals.tsx";
import { useLive } from "./use-live.ts";
import { WorkersPanel } from "./workers-panel.tsx";

export function ShopPage(): ReactNode {
  const { connection, snapshot, throughput } = useLive();
  return (
    <Frame current="Shop" status={<ConnectionStatus connection={connection} />}>
      <Failures>
        <Intro title="Order queue" what="Orders are committed in PostgreSQL and handed to workers by Valkey, oldest first.">
          <TotalsLine snapshot={snapshot} />
        </Intro>
        <div className={classes.page}>
          <div className={classes.controls}>
            <PlaceOrder snapshot={snapshot} />
            <BurstPanel snapshot={snapshot} />
            <WorkersPanel snapshot={snapshot} />
          </div>
          <div className={classes.views}>
            <Flow snapshot={snapshot} throughput={throughput} />
            <OrderList snapshot={snapshot} />
          </div>
        </div>
        <ConnectionBanner connection={connection} snapshot={snapshot} />
        <Announcements snapshot={snapshot} />
      </Failures>
    </Frame>
  );
}
