import type { ReactNode } from "react";
import type { SparkPoint } from "../../src/api/overview.ts";
import { formatCount } from "../format/numbers.ts";
import { texts } from "../texts.ts";
import classes from "./sparkline.module.css";

const width = 120;
const height = 28;
const inset = 2;

/** The last hour of something, minute by minute: what came in as an area, what went out as a line, failures as bars on the ground. */
export function Sparkline({ points }: { readonly points: readonly SparkPoint[] }): ReactNode {
  if (points.length < 2) return <span className={classes.none}>{texts.overview.notCounted}</span>;
  const highest = Math.max(1, ...points.map((point) => Math.max(point.in, point.out, point.failed)));
  const x = (index: number): number => (index / (points.length - 1)) * width;
  const y = (count: number): number => height - inset - (count / highest) * (height - 2 * inset);
  const line = (of: (point: SparkPoint) => number): string =>
    points.map((point, index) => `${index === 0 ? "M" : "L"}${x(index).toFixed(1)} ${y(of(point)).toFixed(1)}`).join("");
  const sum = (of: (point: SparkPoint) => number): string => formatCount(points.reduce((total, point) => total + of(point), 0));
  const label = texts.overview.spark(
    sum((point) => point.in),
    sum((point) => point.out),
    sum((point) => point.failed),
  );
  const came = line((point) => point.in);
  return (
    <svg className={classes.spark} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <title>{label}</title>
      <path className={classes.area} d={`${came}L${width} ${height}L0 ${height}Z`} />
      <path className={classes.in} d={came} />
      <path className={classes.out} d={line((point) => point.out)} />
      {points.map(
        (point, index) =>
          point.failed > 0 && (
            <line
              key={point.at}
              className={classes.failed}
              x1={x(index)}
              x2={x(index)}
              y1={height}
              y2={Math.min(height - 4, y(point.failed))}
            />
          ),
      )}
    </svg>
  );
}
