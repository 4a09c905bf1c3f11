import { IconAlertTriangle, IconCircleCheck, IconInfoCircle } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { Health } from "../../src/api/health.ts";
import { Answered } from "../parts/answered.tsx";
import { Heading } from "../parts/heading.tsx";
import { useHealth } from "../server/queries.ts";
import { texts } from "../texts.ts";
import classes from "./health-view.module.css";
import { PostgresCard } from "./postgres-card.tsx";
import { ValkeyCard } from "./valkey-card.tsx";

const words = texts.health;

/** Both stores, and what in their settings endangers data. */
export function HealthView(): ReactNode {
  const query = useHealth();
  return (
    <>
      <Heading title={words.title} />
      <Answered query={query}>
        {(health) => (
          <>
            <Warnings warnings={health.warnings} />
            <Notes notes={health.notes} />
            <div className={classes.stores}>
              <ValkeyCard valkey={health.valkey} />
              <PostgresCard postgres={health.postgres} />
            </div>
          </>
        )}
      </Answered>
    </>
  );
}

function Warnings({ warnings }: { readonly warnings: Health["warnings"] }): ReactNode {
  if (warnings.length === 0) {
    return (
      <p className={classes.well}>
        <IconCircleCheck size={20} stroke={1.75} aria-hidden="true" />
        {words.allWell}
      </p>
    );
  }
  return (
    <ul className={classes.warnings} aria-label={words.warnings}>
      {warnings.map(({ code, message, advice }) => (
        <li key={code + message} className={classes.warning}>
          <IconAlertTriangle size={20} stroke={1.75} role="img" aria-label={texts.severities.warning} />
          <div>
            <div className={classes.message}>{message}</div>
            <div className={classes.advice}>{advice}</div>
          </div>
        </li>
      ))}
    </ul>
  );
}

/** Nobody has to be called for these. */
function Notes({ notes }: { readonly notes: Health["notes"] }): ReactNode {
  if (notes.length === 0) return null;
  return (
    <ul className={classes.warnings} aria-label={words.notes}>
      {notes.map(({ code, message, advice }) => (
        <li key={code} className={classes.note}>
          <IconInfoCircle size={20} stroke={1.75} role="img" aria-label={words.notes} />
          <div>
            <div className={classes.message}>{message}</div>
            <div className={classes.advice}>{advice}</div>
          </div>
        </li>
      ))}
    </ul>
  );
}
