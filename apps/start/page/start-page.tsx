import type { ReactNode } from "react";
import { ConnectionStatus } from "../../site/page/connection-status.tsx";
import { Failures } from "../../site/page/failures.tsx";
import { Frame } from "../../site/page/frame.tsx";
import { useConnection } from "../../site/page/use-connection.ts";
import { ChannelShape } from "./channel-shape.tsx";
import { QueueShape } from "./queue-shape.tsx";
import classes from "./start-page.module.css";
import { StreamShape } from "./stream-shape.tsx";
import { useGateway } from "./use-gateway.ts";

export function StartPage(): ReactNode {
  const live = useGateway();
  const connection = useConnection(live);
  return (
    <Frame current="Start" status={<ConnectionStatus connection={connection} />}>
      <Failures>
        <div className={classes.hero}>
          <h1 className={classes.promise}>Valkey’s speed, PostgreSQL’s guarantees</h1>
          <p className={classes.what}>
            Queues, channels and streams for TypeScript. The pictures are live: they show what happens on this server, in the three
            applications behind them.
          </p>
        </div>
        <div className={classes.shapes}>
          <QueueShape />
          <ChannelShape live={live} />
          <StreamShape live={live} />
        </div>
      </Failures>
    </Frame>
  );
}
