import type { ReactNode } from "react";
import { Link } from "wouter";
import type { AuditEntry, AuditPage } from "../../src/api/audit.ts";
import { formatCount } from "../format/numbers.ts";
import { JsonView } from "../json/json-view.tsx";
import { Card } from "../list/card.tsx";
import { FilterField } from "../list/filter-field.tsx";
import { List, type Column } from "../list/list.tsx";
import { More } from "../list/more.tsx";
import { useFilter } from "../list/use-filter.ts";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Foldout } from "../parts/foldout.tsx";
import { Heading } from "../parts/heading.tsx";
import { Preview } from "../parts/preview.tsx";
import { Tag } from "../parts/tag.tsx";
import { When } from "../parts/when.tsx";
import { usePages } from "../server/queries.ts";
import { texts } from "../texts.ts";
import { pathOfTarget } from "./target-path.ts";

const words = texts.audit;

const columns: readonly Column<AuditEntry>[] = [
  { header: words.action, isTitle: true, isNarrow: true, cell: ({ action, error }) => <Act action={action} error={error} /> },
  { header: words.target, cell: ({ target }) => <Target target={target} /> },
  { header: words.who, isLong: true, cell: ({ who }) => who },
  { header: words.count, isNumber: true, cell: ({ count }) => (count === null ? "–" : formatCount(count)) },
  { header: words.at, isNarrow: true, cell: ({ at }) => <When at={at} /> },
  { header: words.details, isWide: true, cell: ({ details }) => <Details details={details} /> },
];

/** Who did what, when, and to how many: written before each act began. */
export function AuditView(): ReactNode {
  const [{ target }, setFilter] = useFilter();
  const query = usePages<AuditPage>("audit", { target });
  return (
    <>
      <Heading title={words.title} />
      <Card
        title={words.acts}
        isFlush
        aside={<FilterField isFound label={words.byTarget} value={target} onChange={(value) => setFilter({ target: value })} />}
      >
        <Answered query={query}>
          {({ pages }) => {
            const rows = pages.flatMap(({ entries }) => entries);
            if (rows.length === 0) return <Empty title={words.none}>{words.noneText}</Empty>;
            return (
              <>
                <List label={words.title} rows={rows} columns={columns} keyOf={({ id }) => id} />
                <More shown={rows.length} query={query} />
              </>
            );
          }}
        </Answered>
      </Card>
    </>
  );
}

function Act({ action, error }: { readonly action: string; readonly error: string | null }): ReactNode {
  return (
    <span style={{ display: "inline-flex", gap: 8, alignItems: "center", flexWrap: "wrap" }}>
      <strong>{action}</strong>
      {error !== null && <Tag tone="danger">{error}</Tag>}
    </span>
  );
}

function Target({ target }: { readonly target: string }): ReactNode {
  const path = pathOfTarget(target);
  return path === undefined ? target : <Link href={path}>{target}</Link>;
}

function Details({ details }: { readonly details: unknown }): ReactNode {
  if (details === null || details === undefined || Object.keys(details).length === 0) return null;
  return (
    <Foldout summary={<Preview text={JSON.stringify(details)} />}>
      <JsonView label={words.details} value={details} maxHeight={220} />
    </Foldout>
  );
}
