import type { StandardSchemaV1 } from "@standard-schema/spec";
import { checkSameOptions } from "../runtime/same-options.ts";
import type { Channel } from "./channel.ts";
import { toChannelPolicy, type ChannelOptions, type ChannelPolicy } from "./options.ts";

/** What a channel was made with. Rules that are equal are one object. */
export interface ChannelRules {
  readonly policy: ChannelPolicy;
  readonly schema: StandardSchemaV1 | undefined;
}

interface Known {
  readonly rules: ChannelRules;
  channel: WeakRef<Channel<unknown>> | undefined;
}

/**
 * The channels by their names. An application may have a name for each of its users: so a channel that nobody holds, and on which nothing
 * is under way, is forgotten, but for its rules if it was given some.
 */
export class KnownChannels {
  readonly #known = new Map<string, Known>();
  readonly #rules = new Map<StandardSchemaV1 | undefined, Map<string, ChannelRules>>();
  readonly #plain = this.#same({});
  readonly #unheld = new FinalizationRegistry<string>((name) => this.#forget(name));

  get(name: string): Channel<unknown> | undefined {
    return this.#known.get(name)?.channel?.deref();
  }

  schemaOf(name: string): StandardSchemaV1 | undefined {
    return this.#known.get(name)?.rules.schema;
  }

  /** What the channel was, or is to be, made with. Throws INVALID_OPTION, also for other options than it was made with. */
  rulesFor(name: string, options: ChannelOptions): ChannelRules {
    const before = this.#known.get(name)?.rules;
    if (before && Object.keys(options).length === 0) return before;
    const rules = this.#same(options);
    if (before) checkSameOptions("channel", name, { before, now: rules });
    return rules;
  }

  add(channel: Channel<unknown>, rules: ChannelRules): void {
    this.#known.set(channel.name, { rules, channel: new WeakRef(channel) });
    this.#unheld.register(channel, channel.name);
  }

  #same(options: ChannelOptions): ChannelRules {
    const policy = toChannelPolicy(options);
    const { schema } = options;
    const text = JSON.stringify(policy);
    const alike = this.#rules.get(schema) ?? new Map<string, ChannelRules>();
    this.#rules.set(schema, alike);
    const rules = alike.get(text) ?? { policy, schema };
    alike.set(text, rules);
    return rules;
  }

  #forget(name: string): void {
    const known = this.#known.get(name);
    // It was asked for again meanwhile.
    if (!known || known.channel?.deref()) return;
    if (known.rules === this.#plain) this.#known.delete(name);
    else known.channel = undefined;
  }
}
