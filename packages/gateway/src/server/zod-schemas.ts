import type { FastifyInstance, FastifyTypeProvider } from "fastify";
import type { IncomingMessage, ServerResponse } from "node:http";
import { z, ZodType, type output } from "zod";
import { Problem } from "./problem.ts";

/** Routes give zod schemas: requests are parsed with them, and the OpenAPI document is made from them. */
interface ZodTypes extends FastifyTypeProvider {
  readonly validator: this["schema"] extends ZodType ? output<this["schema"]> : unknown;
  readonly serializer: this["schema"] extends ZodType ? output<this["schema"]> : unknown;
}

/** A part of a server whose routes are typed by their schemas. */
export type Routes = FastifyInstance<FastifyInstance["server"], IncomingMessage, ServerResponse, FastifyInstance["log"], ZodTypes>;

/** Throws a 400 problem with every issue. */
function parseWith<Output>(schema: ZodType<Output>, value: unknown): Output {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const detail = issues.map((issue) => (issue.path ? `${issue.path}: ${issue.message}` : issue.message)).join("; ");
  throw new Problem({ title: "The request does not fit", status: 400, code: "INVALID_REQUEST", detail, issues });
}

export function useZodSchemas(scope: FastifyInstance): void {
  scope.setValidatorCompiler(({ schema }) => {
    return (value: unknown) => {
      if (!(schema instanceof ZodType)) return { value };
      try {
        return { value: parseWith(schema, value) };
      } catch (error) {
        return { error: error as Problem };
      }
    };
  });
  // Answers are made by this package, and typed: writing them needs no second look at a schema.
  scope.setSerializerCompiler(() => (value) => JSON.stringify(value));
}

/** For the OpenAPI document: every zod schema within a route's schema as JSON Schema. */
export function toJsonSchemas(schema: unknown): unknown {
  if (schema instanceof ZodType) {
    const { $schema: _, ...json } = z.toJSONSchema(schema, { unrepresentable: "any", io: "input", target: "draft-2020-12" });
    return json;
  }
  if (Array.isArray(schema) || typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(Object.entries(schema).map(([name, inner]) => [name, toJsonSchemas(inner)]));
}
