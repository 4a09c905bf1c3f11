/** Runs the work for each, so many at a time: a page with hundreds of rows must not send thousands of commands at once. Results are in the order of what was given. */
export async function inTurns<One, Result>(all: readonly One[], atOnce: number, work: (one: One) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const take = async (): Promise<void> => {
    while (next < all.length) {
      const index = next++;
      results[index] = await work(all[index] as One);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, take));
  return results;
}
