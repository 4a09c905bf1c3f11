import type { ReactNode } from "react";
import type { Losses } from "../../src/api/basics.ts";
import { formatCount } from "../format/numbers.ts";
import { Fact } from "../health/fact.tsx";
import facts from "../health/health-view.module.css";
import { Card } from "../list/card.tsx";
import { texts } from "../texts.ts";

const words = texts.losses;
const rows = ["leases", "rescued", "overtaken"] as const;

interface LossesCardProps {
  readonly of: "queue" | "stream";
  readonly losses: Losses | null;
}

/** What workers or consumers did in vain, or did not end. */
export function LossesCard({ of, losses }: LossesCardProps): ReactNode {
  return (
    <Card title={words.title}>
      <dl className={facts.facts}>
        {rows.map((row) => (
          <Fact key={row} label={words[of][row]} value={losses && formatCount(losses[row])} />
        ))}
      </dl>
    </Card>
  );
}
