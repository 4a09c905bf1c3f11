/** Three significant digits, with thousands separated: what a reader can compare at a glance. */
export function formatFigure(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return rounded.toLocaleString("en-GB", { maximumFractionDigits: 3 });
}
