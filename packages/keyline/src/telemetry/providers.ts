import type { Meter, MeterProvider, Tracer, TracerProvider } from "@opentelemetry/api";
import { createNoopMeter, metrics, trace } from "@opentelemetry/api";
import { schemaUrl, scope } from "./conventions.ts";
import { Meters } from "./meters.ts";

/*
 * Providers are often registered after the library that is to use them was set up, so they are looked for until there is one, at each thing that is sent or run. To ask the API costs as much as half an add: so
 * it is only asked when what is registered has changed. All copies of the API of this major version keep that in one place, which costs nothing to look at; should they ever keep it elsewhere,
 * the API is asked now and then.
 */

const lookEvery = 64;
const options = { schemaUrl };
const registry = Symbol.for("opentelemetry.js.api.1");

/** Says when it is worth while to ask the API for a provider. */
class Watch {
  readonly #kind: "trace" | "metrics";
  #last: unknown;
  #looks = 0;

  constructor(kind: "trace" | "metrics") {
    this.#kind = kind;
  }

  get isDue(): boolean {
    const registered = (globalThis as { readonly [registry]?: Partial<Record<"trace" | "metrics", unknown>> })[registry]?.[this.#kind];
    const isOther = registered !== this.#last;
    this.#last = registered;
    return this.#looks++ % lookEvery === 0 || isOther;
  }
}

/** Stands for whatever is registered, and says what that is. */
interface Proxy extends TracerProvider {
  getDelegateTracer(name: string, version?: string, options?: { readonly schemaUrl?: string }): Tracer | undefined;
}

function isProxy(provider: TracerProvider): provider is Proxy {
  return "getDelegateTracer" in provider;
}

export class Tracers {
  readonly #given: TracerProvider | undefined;
  #tracer: Tracer | undefined;
  #proxy: Proxy | undefined;
  readonly #watch = new Watch("trace");

  constructor(given: TracerProvider | undefined) {
    this.#given = given;
  }

  /** Undefined where no provider is given or registered. */
  get tracer(): Tracer | undefined {
    return (this.#tracer ??= this.#find());
  }

  #find(): Tracer | undefined {
    if (this.#watch.isDue || !this.#proxy) {
      const provider = this.#given ?? trace.getTracerProvider();
      if (!isProxy(provider)) return provider.getTracer(scope, undefined, options);
      this.#proxy = provider;
    }
    return this.#proxy.getDelegateTracer(scope, undefined, options);
  }
}

export class MetersOf {
  readonly #given: MeterProvider | undefined;
  #meters: Meters | undefined;
  /** One that was found to measure nothing. */
  #idle: MeterProvider | undefined;
  readonly #watch = new Watch("metrics");

  constructor(given: MeterProvider | undefined) {
    this.#given = given;
  }

  /** Undefined where no provider is given or registered. */
  get meters(): Meters | undefined {
    return (this.#meters ??= this.#find());
  }

  #find(): Meters | undefined {
    // Of meters there is no proxy.
    if (!this.#watch.isDue) return undefined;
    const provider = this.#given ?? metrics.getMeterProvider();
    if (provider === this.#idle) return undefined;
    const meter: Meter = provider.getMeter(scope, undefined, options);
    if (meter !== createNoopMeter()) return new Meters(meter);
    this.#idle = provider;
    return undefined;
  }
}
