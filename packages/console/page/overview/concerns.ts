import type { Overview, OverviewItem } from "../../src/api/overview.ts";
import { pathOf } from "../frame/places.ts";
import { paths } from "../routes.ts";
import { texts } from "../texts.ts";

/** Something that needs somebody, with everything that is wrong with it. */
export interface Concern {
  readonly key: string;
  readonly name: string;
  readonly what: string;
  readonly to: string;
  readonly severity: "critical" | "warning";
  readonly problems: readonly { readonly text: string; readonly action: string }[];
}

/** The critical ones first; else in the order of the overview, and what the stores say last. */
export function concernsOf({ items, warnings }: Overview): Concern[] {
  const ofItems = items.filter(({ problems }) => problems.length > 0).map(concernOf);
  const ofStores: Concern = {
    key: "stores",
    name: texts.overview.stores,
    what: texts.nav.health,
    to: paths.health,
    severity: "warning",
    problems: warnings.map(({ message, advice }) => ({ text: message, action: advice })),
  };
  const all = warnings.length === 0 ? ofItems : [...ofItems, ofStores];
  return [...all.filter(({ severity }) => severity === "critical"), ...all.filter(({ severity }) => severity !== "critical")];
}

function concernOf({ kind, name, problems }: OverviewItem): Concern {
  const isOfLetters = kind === "queue" && problems.every(({ code }) => /DEAD|DIED|LETTER/i.test(code));
  return {
    key: `${kind}:${name}`,
    name,
    what: texts.kinds[kind],
    to: isOfLetters ? paths.letters(name) : pathOf({ kind, name }),
    severity: problems.some(({ severity }) => severity === "critical") ? "critical" : "warning",
    problems,
  };
}
