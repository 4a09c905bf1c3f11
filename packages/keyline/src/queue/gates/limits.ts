import { checkInteger, checkOptionNames } from "../../runtime/options.ts";

/** At most `max` jobs begin in any `per` milliseconds. */
export interface Rate {
  readonly max: number;
  readonly per: number;
}

/** How fast jobs of a queue run, whoever takes them. What is left out has no limit. */
export interface Limits {
  /** Jobs that run at the same time, over all workers. */
  readonly concurrency?: number;
  /** How many begin, over all workers. */
  readonly rate?: Rate;
  /** The same for each group. */
  readonly group?: {
    /** Default 1, which keeps the group's order. */
    readonly concurrency?: number;
    readonly rate?: Rate;
  };
}

/** Changes of limits: what is left out stays as it is, null takes a limit away. */
export interface LimitChanges {
  readonly concurrency?: number | null;
  readonly rate?: Rate | null;
  readonly group?: { readonly concurrency?: number | null; readonly rate?: Rate | null } | null;
}

type Gates = Record<string, number | null>;

const limitNames = new Set<string>(["concurrency", "rate", "group"] satisfies (keyof Limits)[]);
const groupNames = new Set(["concurrency", "rate"]);
const rateNames = new Set<string>(["max", "per"] satisfies (keyof Rate)[]);
const mostConcurrency = 1_000_000;
const mostRate = 1_000_000_000;
const longestRateMs = 86_400_000;

/** The gates that these limits are, by the names that the stores have for them. Throws INVALID_OPTION. */
export function gatesOf(limits: LimitChanges): Gates {
  checkOptionNames("limits", limits, limitNames);
  const gates: Gates = { ...concurrencyGate("", limits.concurrency), ...rateGates("", limits.rate) };
  const { group } = limits;
  if (group === undefined) return gates;
  if (group === null) return { ...gates, ...concurrencyGate("group.", null), ...rateGates("group.", null) };
  checkOptionNames("limits.group", group, groupNames);
  return { ...gates, ...concurrencyGate("group.", group.concurrency), ...rateGates("group.", group.rate) };
}

/** The limits that these gates are. */
export function limitsOf(gates: Readonly<Record<string, string | number>>): Limits {
  const numberOf = (name: string): number | undefined => (gates[name] === undefined ? undefined : Number(gates[name]));
  const rateOf = (prefix: string): Rate | undefined => {
    const [max, per] = [numberOf(`${prefix}rate.max`), numberOf(`${prefix}rate.per`)];
    return max === undefined || per === undefined ? undefined : { max, per };
  };
  const concurrency = numberOf("concurrency");
  const rate = rateOf("");
  const ofGroup = { concurrency: numberOf("group.concurrency"), rate: rateOf("group.") };
  const group = {
    ...(ofGroup.concurrency !== undefined && { concurrency: ofGroup.concurrency }),
    ...(ofGroup.rate && { rate: ofGroup.rate }),
  };
  return {
    ...(concurrency !== undefined && { concurrency }),
    ...(rate && { rate }),
    ...(Object.keys(group).length > 0 && { group }),
  };
}

function concurrencyGate(prefix: string, concurrency: number | null | undefined): Gates {
  if (concurrency === undefined) return {};
  if (concurrency !== null) checkInteger(`limits.${prefix}concurrency`, concurrency, { min: 1, max: mostConcurrency });
  return { [`${prefix}concurrency`]: concurrency };
}

function rateGates(prefix: string, rate: Rate | null | undefined): Gates {
  if (rate === undefined) return {};
  if (rate === null) return { [`${prefix}rate.max`]: null, [`${prefix}rate.per`]: null };
  const option = `limits.${prefix}rate`;
  checkOptionNames(option, rate, rateNames);
  return {
    [`${prefix}rate.max`]: checkInteger(`${option}.max`, rate.max, { min: 1, max: mostRate }),
    [`${prefix}rate.per`]: checkInteger(`${option}.per`, rate.per, { min: 1, max: longestRateMs }),
  };
}
