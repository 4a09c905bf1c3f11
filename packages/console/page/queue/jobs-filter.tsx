import { Button, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useState, type FormEvent, type ReactNode } from "react";
import { useLocation } from "wouter";
import type { ListedState } from "../../src/api/job.ts";
import type { QueueCounts } from "../../src/api/queue.ts";
import { formatCount } from "../format/numbers.ts";
import { FilterField } from "../list/filter-field.tsx";
import { useOpenInSight } from "../parts/open-in-sight.ts";
import { paths, type Filter } from "../routes.ts";
import { texts } from "../texts.ts";
import classes from "./jobs-filter.module.css";
import { listedStates } from "./listed-states.ts";

interface JobsFilterProps {
  readonly queue: string;
  readonly filter: Filter;
  readonly onChange: (changes: Filter) => void;
  readonly counts: QueueCounts | null | undefined;
  readonly transactional: boolean;
}

const words = texts.jobs;
const noSearch = { contains: undefined, error: undefined };

/** States as one row of choices; a group, a text of the payload or the error, and the way to a job by its id. */
export function JobsFilter({ queue, filter, onChange, counts, transactional }: JobsFilterProps): ReactNode {
  const [, navigate] = useLocation();
  const [id, setId] = useState("");
  // With their counts they are wider.
  const states = useOpenInSight<HTMLDivElement>("[aria-pressed=true]", `${filter["state"] ?? ""} ${counts ? "counted" : ""}`);
  const canSearch = isSearched(filter["state"]);
  const isFiltered = [filter["group"], filter["contains"], filter["error"]].some((value) => value !== undefined);
  const toJob = (event: FormEvent): void => {
    event.preventDefault();
    if (id.trim() !== "") navigate(paths.job(queue, id.trim()));
  };
  return (
    <div className={classes.filter}>
      <div ref={states} className={classes.states} role="group" aria-label={words.state}>
        <State name={words.all} isChosen={filter["state"] === undefined} onChoose={() => onChange({ state: undefined, ...noSearch })} />
        {listedStates.map((state) => (
          <State
            key={state}
            name={texts.states[state]}
            count={counts && countIn(counts, state)}
            isChosen={filter["state"] === state}
            onChoose={() => onChange({ state, ...(!isSearched(state) && noSearch) })}
          />
        ))}
      </div>
      <div className={classes.fields}>
        <form onSubmit={toJob}>
          <TextInput
            size="sm"
            data-find
            aria-label={words.findById}
            placeholder={words.findById}
            leftSection={<IconSearch size={15} stroke={1.75} />}
            spellCheck={false}
            value={id}
            onChange={(event) => setId(event.currentTarget.value)}
          />
        </form>
        <FilterField label={words.byGroup} value={filter["group"]} onChange={(group) => onChange({ group })} />
        {canSearch && transactional && (
          <FilterField label={words.contains} value={filter["contains"]} onChange={(contains) => onChange({ contains })} />
        )}
        {canSearch && <FilterField label={texts.letters.byError} value={filter["error"]} onChange={(error) => onChange({ error })} />}
        {isFiltered && (
          <Button size="sm" variant="subtle" onClick={() => onChange({ group: undefined, ...noSearch })}>
            {words.clear}
          </Button>
        )}
      </div>
    </div>
  );
}

/** Others change while they are looked at. */
function isSearched(state: string | undefined): boolean {
  return state === "dead" || state === "scheduled";
}

/** Rows do not tell what runs and what is blocked. */
function countIn(counts: QueueCounts, state: ListedState): number | null {
  return counts.isFromRows && (state === "running" || state === "blocked") ? null : counts[state];
}

interface StateProps {
  readonly name: string;
  readonly count?: number | null | undefined;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function State({ name, count, isChosen, onChoose }: StateProps): ReactNode {
  return (
    <button type="button" className={classes.state} aria-pressed={isChosen} onClick={onChoose}>
      {name}
      {typeof count === "number" && <span className={classes.count}>{formatCount(count)}</span>}
    </button>
  );
}
