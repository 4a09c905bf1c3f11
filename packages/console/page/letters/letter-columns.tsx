import { Link } from "wouter";
import type { LetterRow } from "../../src/api/letter.ts";
import type { Column } from "../list/list.tsx";
import { Name } from "../parts/name.tsx";
import { Preview } from "../parts/preview.tsx";
import { When } from "../parts/when.tsx";
import { paths } from "../routes.ts";
import { texts } from "../texts.ts";

const words = texts.letters;

export function letterColumns(queue: string, rows: readonly LetterRow[]): readonly Column<LetterRow>[] {
  const all: readonly (Column<LetterRow> | false)[] = [
    {
      header: texts.jobs.id,
      isTitle: true,
      cell: ({ id }) => (
        <Link href={paths.job(queue, id)} className="mono">
          {id}
        </Link>
      ),
    },
    { header: words.reason, isWide: true, cell: ({ reason }) => <Preview text={reason} isError /> },
    rows.some(({ group }) => group !== null) && { header: texts.jobs.group, isName: true, cell: ({ group }) => <Name text={group} /> },
    { header: texts.jobs.attempts, isNumber: true, cell: ({ attempts }) => attempts },
    { header: words.died, isNarrow: true, cell: ({ at }) => <When at={at} /> },
  ];
  return all.filter((column) => column !== false);
}
