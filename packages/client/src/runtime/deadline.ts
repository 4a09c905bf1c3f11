import type { Environment } from "./environment.ts";

/** A moment that others can race against. */
export interface Deadline {
  readonly passed: Promise<undefined>;
  readonly isOver: boolean;
  cancel(): void;
}

export function startDeadline(environment: Environment, ms: number): Deadline {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let isOver = false;
  const cancel = environment.after(ms, () => {
    isOver = true;
    resolve(undefined);
  });
  return {
    passed: promise,
    get isOver() {
      return isOver;
    },
    cancel,
  };
}
