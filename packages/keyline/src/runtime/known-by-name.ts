import { checkName } from "./names.ts";
import { checkSameOptions } from "./same-options.ts";

interface Making<Thing> {
  /** What the options come to. */
  readonly rules: object;
  make(): Thing;
}

/** What was made by name, and with which rules: whoever asks again gets the same object. */
export class KnownByName<Thing> {
  readonly #kind: "queue" | "stream";
  readonly #known = new Map<string, { readonly thing: Thing; readonly rules: object }>();

  constructor(kind: "queue" | "stream") {
    this.#kind = kind;
  }

  find(name: string): Thing | undefined {
    return this.#known.get(name)?.thing;
  }

  /** Makes it where it is not known. Without options it is as it was made; throws INVALID_NAME, and INVALID_OPTION for other options. */
  get(name: string, options: object, prepare: () => Making<Thing>): Thing {
    const known = this.#known.get(checkName(this.#kind, name));
    if (known && Object.keys(options).length === 0) return known.thing;
    const { rules, make } = prepare();
    if (known) {
      checkSameOptions(this.#kind, name, { before: known.rules, now: rules });
      return known.thing;
    }
    const thing = make();
    this.#known.set(name, { thing, rules });
    return thing;
  }
}
