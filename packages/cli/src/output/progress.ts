import type { Output } from "./output.ts";

/** How far something is: a bar where somebody looks, and nothing elsewhere. */
export interface Progress {
  /** `total` where it is known by now. */
  update(done: number, total?: number): void;
  stop(): void;
}

const silent: Progress = { update: () => undefined, stop: () => undefined };

/** Begins a bar on standard error. */
export async function startProgress(output: Output, what: string, total: number | undefined): Promise<Progress> {
  if (!output.terminal.isError) return silent;
  const { default: progress } = await import("cli-progress");
  const format = total === undefined ? `${what} {value} | {duration_formatted}` : `${what} {bar} {value}/{total} | {eta_formatted}`;
  const bar = new progress.SingleBar(
    { format, stream: process.stderr, hideCursor: true, clearOnComplete: true, linewrap: false, barsize: 30, gracefulExit: false },
    progress.Presets.shades_classic,
  );
  bar.start(total ?? 0, 0);
  return {
    update: (done, of) => {
      if (of !== undefined && of !== bar.getTotal()) bar.setTotal(of);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}
