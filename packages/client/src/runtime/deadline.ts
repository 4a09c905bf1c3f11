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

/** What `wait` resolves with, or undefined when that takes longer than `ms`. */
export async function within<Value>(
  environment: Environment,
  { ms, wait }: { readonly ms: number; readonly wait: Promise<Value> },
): Promise<Value | undefined> {
  const { passed, end } = startDeadline(environment, ms);
  return Promise.race([wait, passed]).finally(end);
}
