import type { z } from "zod";
import { Refusal } from "./refusal.ts";

/** More than a payload may have by default, with room for what is around it. */
const mostBytes = 2 * 1_048_576;

/** The JSON in a request. Throws what is answered. */
export async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new Refusal({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE", title: "What is sent must be application/json" });
  }
  const text = await readText(request);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Refusal({ status: 400, code: "INVALID_REQUEST", title: "What was sent is no JSON" });
  }
}

async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) {
      throw new Refusal({ status: 413, code: "BODY_TOO_LARGE", title: `No more than ${mostBytes} bytes are taken` });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** What the schema makes of what somebody sent. Throws a refusal with all that is wrong. */
export function parse<Output>(schema: z.ZodType<Output>, value: unknown): Output {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const detail = issues.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join("; ");
  throw new Refusal({ status: 400, code: "INVALID_REQUEST", title: "The request is not valid", detail, issues });
}
