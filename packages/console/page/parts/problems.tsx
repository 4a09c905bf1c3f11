import { IconAlertOctagon, IconAlertTriangle } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { Problem } from "../../src/api/basics.ts";
import { texts } from "../texts.ts";
import classes from "./problems.module.css";

/** What is not as it should be: the cause, and what to do. */
export function Problems({ problems }: { readonly problems: readonly Problem[] }): ReactNode {
  if (problems.length === 0) return null;
  return (
    <ul className={classes.problems} aria-label={texts.problems}>
      {problems.map((problem) => (
        <ProblemLine key={problem.code + problem.text} problem={problem} />
      ))}
    </ul>
  );
}

function ProblemLine({ problem: { severity, text, action } }: { readonly problem: Problem }): ReactNode {
  const Icon = severity === "critical" ? IconAlertOctagon : IconAlertTriangle;
  return (
    <li className={classes.problem} data-severity={severity}>
      <Icon size={18} stroke={1.75} aria-label={texts.severities[severity]} role="img" />
      <div>
        <div className={classes.text}>{text}</div>
        <div className={classes.action}>{action}</div>
      </div>
    </li>
  );
}
