import type { ReactNode } from "react";
import type { Payload } from "../../src/api/basics.ts";
import type { EntriesPage } from "../../src/api/stream.ts";
import { JsonView } from "../json/json-view.tsx";
import { Answered } from "../parts/answered.tsx";
import { useAnswer } from "../server/queries.ts";
import { texts } from "../texts.ts";

interface EntryPayloadProps {
  readonly stream: string;
  readonly id: string;
  readonly payload: Payload;
}

/** All of it: lists have only the beginning of what is large. */
export function EntryPayload({ stream, id, payload }: EntryPayloadProps): ReactNode {
  const query = useAnswer<EntriesPage>(`streams/${stream}/entries`, { from: id, limit: 1 }, { enabled: !payload.isWhole });
  if (payload.isWhole) return <Shown payload={payload} />;
  return <Answered query={query}>{({ entries: [entry] }) => <Shown payload={entry?.id === id ? entry.payload : payload} />}</Answered>;
}

function Shown({ payload: { isWhole, data, preview, bytes } }: { readonly payload: Payload }): ReactNode {
  return <JsonView label={texts.stream.payload} value={isWhole ? data : preview} bytes={bytes} maxHeight={300} />;
}
