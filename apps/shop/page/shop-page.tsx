import type { ReactNode } from "react";
import { Frame } from "../../site/page/frame.tsx";
import { Announcements } from "./announcements.tsx";
import { BurstPanel } from "./burst-panel.tsx";
import { ConnectionBanner, ConnectionStatus } from "./connection.tsx";
import { Failures } from "./failures.tsx";
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
        <div className={classes.intro}>
          <div>
            <h1 className={classes.title}>Order queue</h1>
            <p className={classes.what}>Orders are committed in PostgreSQL and handed to workers by Valkey, oldest first.</p>
          </div>
          <TotalsLine snapshot={snapshot} />
        </div>
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
