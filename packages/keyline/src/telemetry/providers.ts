import type { Meter, MeterProvider, Tracer, TracerProvider } from "@opentelemetry/api";
import { createNoopMeter, metrics, trace } from "@opentelemetry/api";
import { schemaUrl, scope } from "./conventions.ts";
import { Meters } from "./meters.ts";

/*
 * Providers are often registered after the library that is to use them was set up, so they are looked for until there is one. To ask the API costs as much as half an add: the proxy that it
 * gives out until then is asked instead, and the API itself now and then, as somebody may have registered another copy of it.
 */

const lookEvery = 64;
const options = { schemaUrl };

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
  #looks = 0;

  constructor(given: TracerProvider | undefined) {
    this.#given = given;
  }

  /** Undefined where no provider is given or registered. */
  get tracer(): Tracer | undefined {
    return (this.#tracer ??= this.#find());
  }

  #find(): Tracer | undefined {
    if (!this.#proxy || this.#looks++ % lookEvery === 0) {
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
  #looks = 0;

  constructor(given: MeterProvider | undefined) {
    this.#given = given;
  }

  /** Undefined where no provider is given or registered. */
  get meters(): Meters | undefined {
    return (this.#meters ??= this.#find());
  }

  #find(): Meters | undefined {
    // Of meters there is no proxy.
    if (this.#looks++ % lookEvery !== 0) return undefined;
    const provider = this.#given ?? metrics.getMeterProvider();
    if (provider === this.#idle) return undefined;
    const meter: Meter = provider.getMeter(scope, undefined, options);
    if (meter !== createNoopMeter()) return new Meters(meter);
    this.#idle = provider;
    return undefined;
  }
}
