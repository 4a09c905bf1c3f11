import { Skeleton } from "@mantine/core";
import { lazy, Suspense, type ReactNode } from "react";
import type { ChartProps } from "./rates-chart.tsx";

const RatesChart = lazy(() => import("./rates-chart.tsx"));

export function Chart(props: ChartProps): ReactNode {
  return (
    <Suspense fallback={<Skeleton height={250} />}>
      <RatesChart {...props} />
    </Suspense>
  );
}
