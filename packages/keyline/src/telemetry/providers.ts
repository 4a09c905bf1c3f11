import type { Meter, MeterProvider, Tracer, TracerProvider } from "@opentelemetry/api";
import { createNoopMeter, metrics, trace } from "@opentelemetry/api";
import { schemaUrl, scope } from "./conventions.ts";
import { Meters } from "./meters.ts";

/*
 * Providers are often registered after the library that is to use them was set up, so they are looked for each time until there is one. That looks at two properties; without a provider nothing else is done.
 */

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

  constructor(given: TracerProvider | undefined) {
    this.#given = given;
  }

  /** Undefined where no provider is given or registered. */
  get tracer(): Tracer | undefined {
    return (this.#tracer ??= this.#find());
  }

  #find(): Tracer | undefined {
    const provider = this.#given ?? trace.getTracerProvider();
    return isProxy(provider) ? provider.getDelegateTracer(scope, undefined, options) : provider.getTracer(scope, undefined, options);
  }
}

export class MetersOf {
  readonly #given: MeterProvider | undefined;
  #meters: Meters | undefined;
  /** One that was found to measure nothing. */
  #idle: MeterProvider | undefined;

  constructor(given: MeterProvider | undefined) {
    this.#given = given;
  }

  /** Undefined where no provider is given or registered. */
  get meters(): Meters | undefined {
    return (this.#meters ??= this.#find());
  }

  #find(): Meters | undefined {
    const provider = this.#given ?? metrics.getMeterProvider();
    if (provider === this.#idle) return undefined;
    const meter: Meter = provider.getMeter(scope, undefined, options);
    if (meter !== createNoopMeter()) return new Meters(meter);
    this.#idle = provider;
    return undefined;
  }
}
