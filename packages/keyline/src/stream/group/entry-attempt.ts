import { Attempt } from "../../work/attempt.ts";
import type { Entry } from "../entry.ts";
import { timeOf } from "../entry-id.ts";

/** One attempt at an entry, as the handler of a consumer group gets it. */
export class EntryAttempt<Data> extends Attempt implements Entry<Data> {
  readonly id: string;
  readonly key: string | undefined;
  readonly data: Data;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly group: string;
  readonly stream: string;

  /** @internal */
  constructor(
    { id, key, attempts }: { readonly id: string; readonly key: string | undefined; readonly attempts: number },
    data: Data,
    { group, stream }: { readonly group: string; readonly stream: string },
  ) {
    super();
    this.id = id;
    this.key = key;
    this.data = data;
    this.attempt = attempts + 1;
    this.group = group;
    this.stream = stream;
  }

  /** When it was appended, in milliseconds since 1970. */
  get at(): number {
    return timeOf(this.id);
  }
}
