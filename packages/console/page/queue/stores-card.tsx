import type { ReactNode } from "react";
import type { QueueStores } from "../../src/api/queue.ts";
import { formatCount } from "../format/numbers.ts";
import { Fact } from "../health/fact.tsx";
import facts from "../health/health-view.module.css";
import { Card } from "../list/card.tsx";
import { Answered } from "../parts/answered.tsx";
import { useAnswer } from "../server/queries.ts";
import { texts } from "../texts.ts";
import classes from "./queue-view.module.css";

const words = texts.stores;
const rows = ["postgres", "valkey", "undelivered", "difference"] as const;
/** It counts rows. */
const everyMs = 15_000;

/** How many jobs a transactional queue has in either store. */
export function StoresCard({ queue }: { readonly queue: string }): ReactNode {
  const query = useAnswer<QueueStores>(`queues/${queue}/stores`, {}, { refetchInterval: everyMs });
  return (
    <Card title={words.title}>
      <Answered query={query}>
        {(counted) => (
          <dl className={facts.facts}>
            {rows.map((row) => (
              <Fact key={row} label={words[row]} value={counted[row] === null ? null : formatCount(counted[row])} />
            ))}
          </dl>
        )}
      </Answered>
      <p className={classes.note}>{words.note}</p>
    </Card>
  );
}
