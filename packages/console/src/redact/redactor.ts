import { Refusal } from "../http/refusal.ts";
import { builtInNames, isSecretName } from "./hidden-names.ts";
import { fits, toPathRule, type PathRule } from "./path-rules.ts";
import { hidden, hideInText } from "./secret-texts.ts";

const deepest = 200;
const tooDeep = "[too deep to be shown]";

/** Hides what must not be shown, before anything leaves this process: fields of payloads by their names, and the same in texts. */
export class Redactor {
  readonly #rules: readonly PathRule[];
  readonly #names: ReadonlySet<string>;
  /** What is hidden, in words. */
  readonly rules: readonly string[];

  /** Throws for a rule that is none. */
  constructor(rules: readonly string[]) {
    this.#rules = rules.map(toPathRule);
    // In a text nobody knows the way to a name.
    this.#names = new Set(this.#rules.map(({ parts }) => parts.at(-1) ?? "").filter((name) => name !== "*"));
    this.rules = [...builtInNames, ...rules];
  }

  value(value: unknown): unknown {
    return this.#hide(value, [], 0);
  }

  text(text: string): string {
    return hideInText(text, (name) => this.#isSecretInText(name));
  }

  /**
   * What somebody sends who was shown a payload with hidden fields: those that are still hidden in it are as they were. Throws a refusal for one that was not there.
   */
  restore(given: unknown, kept: unknown): unknown {
    if (typeof given === "string") {
      if (!given.includes(hidden)) return given;
      if (given === hidden && kept !== undefined) return kept;
      if (typeof kept === "string" && this.text(kept) === given) return kept;
      const detail = `"${hidden}" stands for a value that the console does not show, and here it does not know which: write the value`;
      throw new Refusal({ status: 422, code: "HIDDEN_VALUE", title: "A hidden value cannot be sent", detail });
    }
    if (Array.isArray(given)) {
      return given.map((one, index) => this.restore(one, Array.isArray(kept) ? (kept[index] as unknown) : undefined));
    }
    if (typeof given !== "object" || given === null) return given;
    const of = (name: string): unknown => (isRecord(kept) && Object.hasOwn(kept, name) ? kept[name] : undefined);
    return Object.fromEntries(Object.entries(given).map(([name, one]) => [name, this.restore(one, of(name))]));
  }

  #hide(value: unknown, place: string[], depth: number): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value !== "object" || value === null) return value;
    if (depth > deepest) return tooDeep;
    if (Array.isArray(value)) return value.map((one) => this.#hide(one, place, depth + 1));
    const shown: [string, unknown][] = [];
    for (const [name, one] of Object.entries(value)) {
      place.push(name);
      shown.push([name, this.#isSecret(name, place) ? hidden : this.#hide(one, place, depth + 1)]);
      place.pop();
    }
    return Object.fromEntries(shown);
  }

  #isSecret(name: string, place: readonly string[]): boolean {
    return isSecretName(name) || this.#rules.some((rule) => fits(rule, place));
  }

  #isSecretInText(name: string): boolean {
    const last = name.slice(name.lastIndexOf(".") + 1);
    return isSecretName(name) || this.#names.has(last.toLowerCase());
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
