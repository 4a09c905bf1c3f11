/** Whoever does not know what became of a call makes it again, until it is answered. */
export async function insist<Result>(work: () => Promise<Result>): Promise<Result> {
  let last: unknown;
  for (let tries = 0; tries < 200; tries++) {
    try {
      return await work();
    } catch (error) {
      last = error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw last;
}
