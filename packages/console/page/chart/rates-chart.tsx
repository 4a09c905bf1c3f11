import type { ReactNode } from "react";
import { Area, CartesianGrid, ComposedChart, Line, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { formatAbsolute } from "../format/absolute-time.ts";
import { formatCount } from "../format/numbers.ts";
import { useTimeChoice, zoneOf } from "../format/time-choice.ts";
import { axisFormat } from "./axis-format.ts";
import classes from "./rates-chart.module.css";

export interface Series {
  readonly key: string;
  readonly name: string;
  readonly color: string;
  readonly isArea?: boolean;
}

export interface ChartProps {
  readonly label: string;
  readonly points: readonly { readonly at: number; readonly [key: string]: number | null }[];
  readonly series: readonly Series[];
  /** What a figure is, such as a duration; a count unless it is said. */
  readonly format?: (value: number) => string;
}

/** Figures over time. It is loaded when it is first needed: the library that draws it weighs as much as the rest of the page. */
export function RatesChart({ label, points, series, format = formatCount }: ChartProps): ReactNode {
  const zone = zoneOf(useTimeChoice());
  const spanMs = (points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0);
  return (
    <figure className={classes.chart} aria-label={label}>
      <div className={classes.drawing} aria-hidden="true">
        <ResponsiveContainer width="100%" height="100%" initialDimension={{ width: 640, height: 220 }}>
          <ComposedChart data={[...points]} margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
            <CartesianGrid stroke="var(--kl-chart-grid)" vertical={false} />
            <XAxis
              dataKey="at"
              type="number"
              scale="time"
              domain={["dataMin", "dataMax"]}
              tickFormatter={(at: number) => axisFormat(spanMs, zone).format(at)}
              tick={{ fill: "var(--kl-muted)", fontSize: 12 }}
              stroke="var(--kl-line)"
              minTickGap={48}
            />
            <YAxis
              width={52}
              allowDecimals={false}
              tickFormatter={format}
              tick={{ fill: "var(--kl-muted)", fontSize: 12 }}
              stroke="transparent"
            />
            <Tooltip
              isAnimationActive={false}
              labelFormatter={(at) => formatAbsolute(Number(at), zone)}
              formatter={(value) => format(Number(value))}
              contentStyle={{ background: "var(--kl-card)", border: "1px solid var(--kl-line)", borderRadius: 8, fontSize: 13 }}
            />
            {series.map(({ key, name, color, isArea }) =>
              isArea === true ? (
                <Area
                  key={key}
                  dataKey={key}
                  name={name}
                  stroke={color}
                  fill={color}
                  fillOpacity={0.12}
                  strokeWidth={1.75}
                  isAnimationActive={false}
                />
              ) : (
                <Line
                  key={key}
                  dataKey={key}
                  name={name}
                  stroke={color}
                  strokeWidth={1.75}
                  dot={false}
                  isAnimationActive={false}
                  connectNulls
                />
              ),
            )}
          </ComposedChart>
        </ResponsiveContainer>
      </div>
      <figcaption className={classes.legend}>
        {series.map(({ key, name, color }) => (
          <span key={key} className={classes.entry}>
            <span className={classes.swatch} style={{ background: color }} aria-hidden="true" />
            {name}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
