import { expect, test } from "vitest";
import { mutants } from "../../soak/mutants.ts";
import { mutate, readSources } from "../../soak/plant.ts";

// Whoever changes one of these places says in soak/mutants.ts how the bug looks now. Each is found by `npm run soak -- --mutants`, which takes too long to be run here.
test.each(mutants.map((mutant) => [mutant.name, mutant] as const))("%s can still be planted in the sources", (_, mutant) => {
  const sources = readSources();
  const changed = mutate(sources, mutant);
  expect(changed.size).toBeGreaterThan(0);
  for (const [path, text] of changed) expect(text).not.toBe(sources.get(path));
});
