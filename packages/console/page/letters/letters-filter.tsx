import { Button, Select } from "@mantine/core";
import type { ReactNode } from "react";
import type { Filter } from "../routes.ts";
import { FilterField } from "../list/filter-field.tsx";
import { serverNow } from "../server/server-clock.ts";
import { texts } from "../texts.ts";
import classes from "./causes-card.module.css";

const words = texts.letters;
const spans: Readonly<Record<string, number>> = { hour: 3_600_000, day: 86_400_000, week: 604_800_000 };

interface LettersFilterProps {
  readonly filter: Filter;
  readonly onChange: (changes: Filter) => void;
}

export function LettersFilter({ filter, onChange }: LettersFilterProps): ReactNode {
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  return (
    <div className={classes.filters} role="search">
      <FilterField isFound label={words.byError} value={filter["error"]} onChange={(error) => onChange({ error })} />
      <FilterField label={texts.jobs.byGroup} value={filter["group"]} onChange={(group) => onChange({ group })} />
      <Select
        size="sm"
        aria-label={words.diedWithin}
        placeholder={words.diedWithin}
        clearable
        clearButtonProps={{ "aria-label": texts.jobs.clear }}
        data={Object.keys(spans).map((value) => ({ value, label: words.spans[value as keyof typeof words.spans] }))}
        value={spanOf(filter["after"])}
        onChange={(value) => onChange({ after: value === null ? undefined : String(serverNow() - (spans[value] ?? 0)) })}
      />
      {filter["cause"] !== undefined && (
        <span className={classes.note}>
          {words.ofCause} <strong>{filter["cause"]}</strong>
        </span>
      )}
      {isFiltered && (
        <Button
          size="sm"
          variant="subtle"
          onClick={() => onChange({ cause: undefined, error: undefined, group: undefined, after: undefined, before: undefined })}
        >
          {texts.jobs.clear}
        </Button>
      )}
    </div>
  );
}

/** The span that a time in the address came from, as near as that can be told. */
function spanOf(after: string | undefined): string | null {
  if (after === undefined) return null;
  const away = serverNow() - Number(after);
  return Object.entries(spans).find(([, ms]) => away < ms * 2)?.[0] ?? "week";
}
