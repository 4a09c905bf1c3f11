import type { ReactNode } from "react";
import type { QueueView } from "../../src/api/queue.ts";
import { formatCount } from "../format/numbers.ts";
import { Fact } from "../health/fact.tsx";
import facts from "../health/health-view.module.css";
import { Card } from "../list/card.tsx";
import { texts } from "../texts.ts";

const words = texts.losses;
const rows = ["leases", "rescued", "overtaken"] as const;

/** What workers did in vain, or did not end. */
export function LossesCard({ losses }: Pick<QueueView, "losses">): ReactNode {
  return (
    <Card title={words.title}>
      <dl className={facts.facts}>
        {rows.map((row) => (
          <Fact key={row} label={words[row]} value={losses && formatCount(losses[row])} />
        ))}
      </dl>
    </Card>
  );
}
