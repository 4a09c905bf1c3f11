import { IconAlertOctagon, IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Overview } from "../../src/api/overview.ts";
import { texts } from "../texts.ts";
import { concernsOf, type Concern } from "./concerns.ts";
import classes from "./attention.module.css";

const mostShown = 12;

/** Each thing that is not as it should be: what it is, why, what to do, and where. */
export function Attention({ overview }: { readonly overview: Overview }): ReactNode {
  const concerns = concernsOf(overview);
  if (concerns.length === 0) {
    return (
      <p className={classes.well}>
        <IconCircleCheck size={20} stroke={1.75} aria-hidden="true" />
        {texts.overview.allWell}
      </p>
    );
  }
  return (
    <section aria-label={texts.overview.attention} className={classes.attention}>
      <ul className={classes.concerns}>
        {concerns.slice(0, mostShown).map((concern) => (
          <ConcernCard key={concern.key} concern={concern} />
        ))}
      </ul>
      {concerns.length > mostShown && <p className={classes.rest}>{texts.overview.moreProblems(concerns.length - mostShown)}</p>}
    </section>
  );
}

function ConcernCard({ concern: { key, name, what, to, severity, problems } }: { readonly concern: Concern }): ReactNode {
  const Icon = severity === "critical" ? IconAlertOctagon : IconAlertTriangle;
  return (
    <li className={classes.concern} data-severity={severity} data-row={key} tabIndex={-1}>
      <Icon size={20} stroke={1.75} role="img" aria-label={texts.severities[severity]} />
      <div className={classes.words}>
        <div className={classes.head}>
          <Link href={to} className={classes.name}>
            {name}
          </Link>
          <span className={classes.what}>{what}</span>
        </div>
        {problems.map(({ text, action }) => (
          <div key={text} className={classes.problem}>
            <div className={classes.text}>{text}</div>
            <div className={classes.action}>{action}</div>
          </div>
        ))}
      </div>
    </li>
  );
}
