import type { AddOptions, Job, Worker } from "keyline";
import { openEither, type EitherQueue } from "./either-queue.ts";
import { eventually, gate, type Stage } from "./stage.ts";

/** A job that takes no time, or as long as the test wants. */
export type Kind = "quick" | "slow";

/** A job that is to be added. */
export type Added = Kind | ({ readonly data: Kind } & AddOptions);

export interface Crew {
  readonly queue: EitherQueue<Kind>;
  readonly worker: Worker<Kind>;
  /** What its worker has begun, by the order of adding. */
  readonly begun: number[];
  /** Slow jobs end when it is open. */
  readonly slow: ReturnType<typeof gate>;
  /** Called as a slow one begins, with its number. */
  onSlow: (number: number) => void;
  /** Adds jobs, numbered on from those before. */
  add(...kinds: readonly Added[]): Promise<void>;
  idOf(number: number): string;
}

interface CrewOptions {
  readonly concurrency?: number;
  readonly transactional?: boolean;
  readonly keepResult?: number;
}

export const quick = (count: number): Kind[] => Array.from({ length: count }, () => "quick" as const);

/** A worker that knows its handlers to be quick, and takes ahead. */
export async function openCrew(stage: Stage, name: string, options: CrewOptions = {}): Promise<Crew> {
  const { concurrency = 1, transactional = false, ...rules } = options;
  const queue = openEither<Kind>(stage.keyline(), name, { transactional, ...rules });
  const numbers = new Map<string, number>();
  const begun: number[] = [];
  let ended = 0;
  const work = async ({ id, data }: Job<Kind>): Promise<void> => {
    const number = numbers.get(id) ?? -1;
    begun.push(number);
    if (data === "slow") {
      crew.onSlow(number);
      await crew.slow.opened;
    }
    ended++;
  };
  const crew: Crew = {
    queue,
    worker: queue.work(work, { concurrency }),
    begun,
    slow: gate(),
    onSlow: () => undefined,
    async add(...kinds) {
      const jobs = kinds.map((kind, index) => ({
        ...(typeof kind === "string" ? { data: kind } : kind),
        id: crew.idOf(numbers.size + index),
      }));
      for (const { id } of jobs) numbers.set(id, numbers.size);
      await queue.addMany(jobs);
    },
    idOf: (number) => `${name}-${number}`,
  };
  await crew.add(...quick(600));
  await eventually("it knows its handlers", () => ended === 600);
  begun.length = 0;
  return crew;
}

/** The same queue in the hands of another process, as far as the queue knows. */
export function workBeside(
  stage: Stage,
  name: string,
  { transactional = false, concurrency = 1 }: CrewOptions = {},
): { readonly ran: string[]; readonly worker: Worker<Kind> } {
  const ran: string[] = [];
  const queue = openEither<Kind>(stage.keyline(), name, { transactional });
  return { ran, worker: queue.work(({ id }: Job<Kind>) => void ran.push(id), { concurrency }) };
}
