import type { z } from "zod";
import { expect } from "vitest";
import type { Answer } from "./console-server.ts";

/** What was answered, which is of this form and has nothing else in it that the page does not know. */
export function valid<Output>(schema: z.ZodType<Output>, answer: Answer): Output {
  expect(answer.status, answer.text.slice(0, 500)).toBeLessThan(300);
  const parsed = schema.parse(answer.body);
  expect(parsed).toEqual(answer.body);
  return parsed;
}
