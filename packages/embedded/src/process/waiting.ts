import { EmbeddedError } from "../errors.ts";

/** Resolves after `ms`. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for something that does not keep the event loop alive by itself, so that the process does not end in the middle of it. */
export async function keepingAwake<T>(wait: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 60_000);
  try {
    return await wait;
  } finally {
    clearInterval(timer);
  }
}

/** Whether `wait` came to its end within `ms`. */
export async function endsWithin(wait: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([wait.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `isTrue` says so, asking every 20 ms. Throws START_FAILED when that takes too long. */
export async function until(what: string, isTrue: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new EmbeddedError("START_FAILED", `Waited ${timeoutMs} ms in vain until ${what}`);
    await delay(20);
  }
}
