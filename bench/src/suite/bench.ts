import type { Servers } from "../servers/servers.ts";

/** What a case gets to work with. */
export interface Bench {
  readonly servers: Servers;
  readonly isQuick: boolean;
  /** The size of a full run, or the tiny one that only proves that the case works. */
  readonly size: (full: number, quick: number) => number;
}

export function createBench(servers: Servers, isQuick: boolean): Bench {
  return { servers, isQuick, size: (full, quick) => (isQuick ? quick : full) };
}
