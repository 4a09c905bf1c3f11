import { Button, Checkbox, TextInput } from "@mantine/core";
import { useEffect, useState, type ReactNode } from "react";
import type { EntriesPage, EntryRow } from "../../src/api/stream.ts";
import { localTimeField, timeOfField } from "../format/local-time-field.ts";
import { Card } from "../list/card.tsx";
import { FilterField } from "../list/filter-field.tsx";
import { List, type Column } from "../list/list.tsx";
import { More } from "../list/more.tsx";
import { useFilter } from "../list/use-filter.ts";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Foldout } from "../parts/foldout.tsx";
import { Name } from "../parts/name.tsx";
import { Preview } from "../parts/preview.tsx";
import { When } from "../parts/when.tsx";
import { usePages } from "../server/queries.ts";
import { useRefreshed } from "../server/use-live.ts";
import { texts } from "../texts.ts";
import { EntryPayload } from "./entry-payload.tsx";
import classes from "./stream-view.module.css";

const words = texts.stream;

interface EntriesCardProps {
  readonly stream: string;
  readonly hasKeys: boolean;
}

/** What stands in it: the newest first, or from a time on, or of one key. Where one reads stands in the address. */
export function EntriesCard({ stream, hasKeys }: EntriesCardProps): ReactNode {
  const [{ from, at, key, oldest }, setFilter] = useFilter();
  const isOldestFirst = oldest === "true" || at !== undefined || from !== undefined;
  const path = `streams/${stream}/entries`;
  const query = usePages<EntriesPage>(path, { from, at, key, reverse: isOldestFirst ? undefined : "true" });
  // Who reads at a place in the past is not to be carried away from it.
  useRefreshed(isOldestFirst ? undefined : `stream:${stream}`, ["pages", path]);
  const isFiltered = from !== undefined || at !== undefined || key !== undefined;
  return (
    <Card
      title={words.entries}
      isFlush
      aside={
        <div className={classes.filters} role="search">
          <FilterField isFound label={words.fromId} value={from} onChange={(value) => setFilter({ from: value, at: undefined })} />
          <TimeField at={at} onChange={(value) => setFilter({ at: value, from: undefined })} />
          {hasKeys && <FilterField label={words.byKey} value={key} onChange={(value) => setFilter({ key: value })} />}
          {isFiltered ? (
            <Button size="sm" variant="subtle" onClick={() => setFilter({ from: undefined, at: undefined, key: undefined })}>
              {texts.jobs.clear}
            </Button>
          ) : (
            <Checkbox
              label={words.oldestFirst}
              checked={oldest === "true"}
              style={{ alignSelf: "center" }}
              onChange={(event) => setFilter({ oldest: event.currentTarget.checked ? "true" : undefined })}
            />
          )}
        </div>
      }
    >
      <Answered query={query}>
        {({ pages }) => {
          const rows = pages.flatMap(({ entries }) => entries);
          if (rows.length === 0) return <Empty title={words.noEntries} />;
          return (
            <>
              <List label={words.entries} rows={rows} columns={columnsOf(stream, hasKeys)} keyOf={({ id }) => id} />
              <More shown={rows.length} query={query} />
            </>
          );
        }}
      </Answered>
    </Card>
  );
}

function TimeField({ at, onChange }: { readonly at: string | undefined; readonly onChange: (at: string | undefined) => void }): ReactNode {
  const shown = at === undefined ? "" : localTimeField(Number(at));
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  const submit = (): void => {
    if (text === shown) return;
    const time = timeOfField(text);
    onChange(time === undefined ? undefined : String(time));
  };
  return (
    <TextInput
      size="sm"
      type="datetime-local"
      step={1}
      aria-label={words.fromTime}
      title={words.fromTime}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={submit}
      onKeyDown={(event) => {
        if (event.key === "Enter") submit();
      }}
    />
  );
}

function columnsOf(stream: string, hasKeys: boolean): readonly Column<EntryRow>[] {
  return [
    { header: words.id, isTitle: true, isNarrow: true, cell: ({ id }) => <span className="mono">{id}</span> },
    ...(hasKeys ? [{ header: words.key, isName: true, cell: ({ key }: EntryRow) => <Name text={key} /> }] : []),
    { header: words.at, isNarrow: true, cell: ({ at }) => <When at={at} /> },
    {
      header: words.payload,
      isWide: true,
      cell: ({ id, payload }) => (
        <Foldout summary={<Preview text={payload.preview} />}>
          <EntryPayload stream={stream} id={id} payload={payload} />
        </Foldout>
      ),
    },
  ];
}
