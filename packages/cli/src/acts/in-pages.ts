import type { Context } from "../context.ts";
import { exitCodes, Interrupted, type ExitCode } from "../exit-codes.ts";
import { interruption } from "../interruption.ts";
import { startProgress } from "../output/progress.ts";
import { audited, type Act } from "./audited.ts";

/** Something that is done page by page, and can be stopped between two of them. */
interface LongAct {
  readonly act: Act;
  /** Such as "Redriving". */
  readonly doing: string;
  /** How many there are, where that is known. */
  readonly total: number | undefined;
  /** How many were named one by one: that some of them are not there is said. */
  readonly named?: number | undefined;
  work(pages: {
    readonly signal: AbortSignal;
    onProgress(progress: { readonly done: number; readonly total?: number | undefined }): void;
  }): Promise<number>;
  /** What came of it: also of what was stopped. */
  tell(count: number): { readonly record: object; readonly sentence: string };
}

/** Does it with a bar where somebody looks. Ctrl-C ends it behind the page that is under way; how many were done until then is told, and written into the audit trail. */
export async function actInPages({ output, session }: Context, { act, doing, total, named = 0, work, tell }: LongAct): Promise<ExitCode> {
  const signal = interruption();
  const progress = await startProgress(output, doing, total);
  let reached = 0;
  const onProgress = ({ done, total: of = total }: { readonly done: number; readonly total?: number | undefined }): void => {
    progress.update((reached = done), of);
  };
  try {
    const count = await audited(session, act, () => work({ signal, onProgress }), { countOf: (number) => number, reached: () => reached });
    progress.stop();
    const { record, sentence } = tell(count);
    await output.result(record, sentence);
    if (count >= named) return exitCodes.done;
    output.note(`Of those that were named ${named - count} ${named - count === 1 ? "is" : "are"} not there.`);
    return exitCodes.failed;
  } catch (error) {
    progress.stop();
    const { record, sentence } = tell(reached);
    if (error instanceof Interrupted) {
      await output.result({ ...record, interrupted: true }, sentence);
    } else if (reached > 0) output.note(`Before that: ${sentence}`);
    throw error;
  }
}
