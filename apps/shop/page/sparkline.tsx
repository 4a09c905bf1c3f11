import type { ReactNode } from "react";
import classes from "./sparkline.module.css";

const slots = 60;
const width = 300;
const height = 40;

/** The throughput of the last minute. The number beside it is the text of it. */
export function Sparkline({ values }: { readonly values: readonly number[] }): ReactNode {
  const largest = Math.max(1, ...values);
  // Newest at the right: it moves left from there.
  const points = values.map((value, index) => {
    const x = ((slots - values.length + index) * width) / (slots - 1);
    return `${x.toFixed(1)},${(height - 2 - (value / largest) * (height - 6)).toFixed(1)}`;
  });
  const [firstX] = points[0]?.split(",") ?? ["0"];
  return (
    <svg className={classes.sparkline} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      <line x1="0" x2={width} y1={height - 1} y2={height - 1} className={classes.base} />
      {points.length > 1 && (
        <>
          <polygon className={classes.area} points={`${firstX},${height - 1} ${points.join(" ")} ${width},${height - 1}`} />
          <polyline className={classes.line} points={points.join(" ")} />
        </>
      )}
    </svg>
  );
}
