import type { NamedThing, SeenName } from "../valkey/directory/name-set.ts";

/** What is known of a name from all sides. */
export interface Known {
  readonly name: string;
  readonly traits: readonly string[];
  /** Undefined where only PostgreSQL, or only this process, knows of it. */
  readonly lastSeenAt: number | undefined;
}

/**
 * Puts together what Valkey, this process and PostgreSQL say: one of each name, sorted. Where they contradict each other, as after a queue became transactional, the one that was seen last
 * counts; a trait of `shared` also where others left it out, as a stream's keys are unknown to those who only read it.
 */
export function gather(
  {
    onValkey,
    here,
    inRecord,
  }: { readonly onValkey: readonly SeenName[]; readonly here: readonly NamedThing[]; readonly inRecord: readonly NamedThing[] },
  shared: readonly string[] = [],
): Known[] {
  const byName = new Map<string, Known[]>();
  const add = (known: Known): void => void byName.set(known.name, [...(byName.get(known.name) ?? []), known]);
  for (const seen of onValkey.toSorted((one, other) => other.lastSeenAt - one.lastSeenAt)) add(seen);
  for (const { name, traits } of [...here, ...inRecord]) add({ name, traits, lastSeenAt: undefined });
  return [...byName.values()]
    .flatMap((all) => {
      const [newest] = all;
      if (!newest) return [];
      const traits = new Set([...newest.traits, ...shared.filter((trait) => all.some((one) => one.traits.includes(trait)))]);
      return { ...newest, traits: [...traits] };
    })
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}
