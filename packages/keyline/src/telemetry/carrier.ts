import type { Context, TextMapGetter, TextMapPropagator } from "@opentelemetry/api";
import { ROOT_CONTEXT } from "@opentelemetry/api";

/*
 * What a propagator writes, as the text that travels: a traceparent alone, as it mostly is, or all fields as a JSON object.
 */

type Fields = Record<string, string>;

const setter = {
  set(fields: Fields, name: string, value: string): void {
    // The data of an element is found by its name.
    if (name !== "data") fields[name] = value;
  },
};

const getter: TextMapGetter<Fields> = {
  get: (fields, name) => (Object.hasOwn(fields, name) ? fields[name] : undefined),
  keys: (fields) => Object.keys(fields),
};

const plain = /^[\w-]+$/;

/** The text for what is current in this context; undefined where there is nothing to say. */
export function inject(propagator: Pick<TextMapPropagator, "inject">, context: Context): string | undefined {
  const fields: Fields = {};
  propagator.inject(context, fields, setter);
  const names = Object.keys(fields);
  if (names.length === 0) return undefined;
  const { traceparent } = fields;
  return names.length === 1 && traceparent !== undefined && plain.test(traceparent) ? traceparent : JSON.stringify(fields);
}

/** The context that such a text speaks of, whoever wrote it; one that says nothing where it cannot be read. */
export function extract(propagator: Pick<TextMapPropagator, "extract">, trace: string): Context {
  return propagator.extract(ROOT_CONTEXT, readFields(trace), getter);
}

function readFields(trace: string): Fields {
  if (!trace.startsWith("{")) return { traceparent: trace };
  try {
    const found = Object.entries(JSON.parse(trace) as Record<string, unknown>);
    return Object.fromEntries(found.filter((field): field is [string, string] => typeof field[1] === "string"));
  } catch {
    return {};
  }
}
