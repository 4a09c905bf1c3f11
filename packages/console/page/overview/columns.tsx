import type { ReactNode } from "react";
import { Link } from "wouter";
import type { OverviewItem } from "../../src/api/overview.ts";
import { formatCount, formatRate } from "../format/numbers.ts";
import { formatLength } from "../format/relative-time.ts";
import { pathOf } from "../frame/places.ts";
import type { Column } from "../list/list.tsx";
import { Sparkline } from "../parts/sparkline.tsx";
import { Tag } from "../parts/tag.tsx";
import { paths } from "../routes.ts";
import { texts } from "../texts.ts";
import classes from "./columns.module.css";

const words = texts.overview.columns;
type ItemColumn = Column<OverviewItem>;

const name: ItemColumn = {
  header: words.name,
  isTitle: true,
  cell: (item) => (
    <span className={classes.name} data-problem={worstOf(item)}>
      <Link href={pathOf(item)}>{item.name}</Link>
      {item.paused && <Tag tone="warn">{texts.states.paused}</Tag>}
      {item.transactional && <Tag>{texts.transactional}</Tag>}
    </span>
  ),
};

const hour: ItemColumn = { header: words.hour, isNarrow: true, cell: ({ spark }) => <Sparkline points={spark} /> };

function figure(header: string, of: (item: OverviewItem) => number | null, format: (value: number) => string): ItemColumn {
  return { header, isNumber: true, cell: (item) => <Known value={of(item)} format={format} /> };
}

/** A figure that leads to the list behind it; zero leads nowhere. */
function linked(header: string, of: (item: OverviewItem) => number | null, to: (item: OverviewItem) => string): ItemColumn {
  return {
    header,
    isNumber: true,
    cell: (item) => {
      const value = of(item);
      if (value === null || value === 0) return <Known value={value} format={formatCount} />;
      return <Link href={to(item)}>{formatCount(value)}</Link>;
    },
  };
}

/** Its view begins with its groups, which have it. */
const ofStream = (header: string, of: (item: OverviewItem) => number | null): ItemColumn => linked(header, of, pathOf);

const failing = (header: string): ItemColumn => ({
  header,
  isNumber: true,
  cell: ({ failedRate }) => (
    <span className={failedRate !== null && failedRate > 0 ? classes.failing : undefined}>
      <Known value={failedRate} format={formatRate} />
    </span>
  ),
});

export const queueColumns: readonly ItemColumn[] = [
  name,
  linked(
    words.waiting,
    ({ depth }) => depth,
    ({ name, depth, blocked }) => paths.jobs(name, { state: blocked === 0 ? "waiting" : blocked === depth ? "blocked" : undefined }),
  ),
  figure(words.oldest, ({ oldestMs }) => oldestMs, formatLength),
  figure(words.in, ({ inRate }) => inRate, formatRate),
  figure(words.out, ({ outRate }) => outRate, formatRate),
  failing(words.failed),
  linked(
    words.dead,
    ({ deadCount }) => deadCount,
    ({ name }) => paths.letters(name),
  ),
  figure(words.workers, ({ workers }) => workers, formatCount),
  hour,
];

export const streamColumns: readonly ItemColumn[] = [
  name,
  ofStream(words.behind, ({ depth }) => depth),
  figure(words.oldestPending, ({ oldestMs }) => oldestMs, formatLength),
  figure(words.appended, ({ inRate }) => inRate, formatRate),
  figure(words.consumed, ({ outRate }) => outRate, formatRate),
  failing(words.failed),
  ofStream(words.dead, ({ deadCount }) => deadCount),
  figure(words.consumers, ({ workers }) => workers, formatCount),
  hour,
];

export const channelColumns: readonly ItemColumn[] = [
  name,
  figure(words.published, ({ inRate }) => inRate, formatRate),
  figure(words.received, ({ outRate }) => outRate, formatRate),
  hour,
];

function Known({ value, format }: { readonly value: number | null; readonly format: (value: number) => string }): ReactNode {
  if (value === null)
    return (
      <span className={classes.none} aria-label={texts.notKnown}>
        –
      </span>
    );
  return value === 0 ? <span className={classes.zero}>0</span> : format(value);
}

function worstOf({ problems }: OverviewItem): string | undefined {
  if (problems.length === 0) return undefined;
  return problems.some(({ severity }) => severity === "critical") ? "critical" : "warning";
}
