import { IconAlertOctagon, IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Overview } from "../../src/api/overview.ts";
import { pathOf } from "../frame/places.ts";
import { paths } from "../routes.ts";
import { texts } from "../texts.ts";
import classes from "./attention.module.css";

interface Line {
  readonly key: string;
  readonly name: string;
  readonly what: string;
  readonly to: string;
  readonly severity: "critical" | "warning";
  readonly text: string;
  readonly action: string;
}

const mostShown = 12;

/** Each thing that is not as it should be: what it is, why, what to do, and where. */
export function Attention({ overview }: { readonly overview: Overview }): ReactNode {
  const lines = linesOf(overview);
  if (lines.length === 0) {
    return (
      <p className={classes.well}>
        <IconCircleCheck size={20} stroke={1.75} aria-hidden="true" />
        {texts.overview.allWell}
      </p>
    );
  }
  return (
    <section aria-label={texts.overview.attention} className={classes.attention}>
      <ul className={classes.lines}>
        {lines.slice(0, mostShown).map(({ key, name, what, to, severity, text, action }) => (
          <li key={key} className={classes.line} data-severity={severity} data-row={key} tabIndex={-1}>
            <Mark severity={severity} />
            <div className={classes.words}>
              <div className={classes.head}>
                <Link href={to} className={classes.name}>
                  {name}
                </Link>
                <span className={classes.what}>{what}</span>
              </div>
              <div className={classes.text}>{text}</div>
              <div className={classes.action}>{action}</div>
            </div>
          </li>
        ))}
      </ul>
      {lines.length > mostShown && <p className={classes.rest}>{texts.overview.moreProblems(lines.length - mostShown)}</p>}
    </section>
  );
}

function Mark({ severity }: { readonly severity: Line["severity"] }): ReactNode {
  const Icon = severity === "critical" ? IconAlertOctagon : IconAlertTriangle;
  return <Icon size={20} stroke={1.75} role="img" aria-label={texts.severities[severity]} />;
}

function linesOf({ items, warnings }: Overview): Line[] {
  const ofItems = items.flatMap(({ kind, name, problems }) =>
    problems.map(({ code, severity, text, action }): Line => {
      return { key: `${kind}:${name}:${code}`, name, what: texts.kinds[kind], to: placeOf({ kind, name }, code), severity, text, action };
    }),
  );
  const ofStores = warnings.map(({ code, message, advice }): Line => {
    const name = texts.overview.stores;
    return {
      key: `store:${code}:${message}`,
      name,
      what: texts.nav.health,
      to: paths.health,
      severity: "warning",
      text: message,
      action: advice,
    };
  });
  const all = [...ofItems, ...ofStores];
  return [...all.filter(({ severity }) => severity === "critical"), ...all.filter(({ severity }) => severity !== "critical")];
}

/** To the list behind the problem. */
function placeOf(item: Pick<Overview["items"][number], "kind" | "name">, code: string): string {
  return item.kind === "queue" && /DEAD|LETTER/i.test(code) ? paths.letters(item.name) : pathOf(item);
}
