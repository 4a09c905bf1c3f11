import type { Environment } from "./environment.ts";

/** A moment that others can race against. */
export interface Deadline {
  readonly passed: Promise<undefined>;
  /** Makes it pass now. */
  end(): void;
}

export function startDeadline(environment: Environment, ms: number): Deadline {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const cancel = environment.after(ms, () => resolve(undefined));
  return {
    passed: promise,
    end: () => {
      cancel();
      resolve(undefined);
    },
  };
}
