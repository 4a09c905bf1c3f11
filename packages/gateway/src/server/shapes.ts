import { z } from "zod";

/** What several routes have in common, for parsing and for the OpenAPI document. */
export const shapeName = z.string().describe("1 to 200 of A-Z a-z 0-9 . _ : -");

const problem = z
  .object({
    title: z.string(),
    status: z.number(),
    code: z.string().describe("Branch on this, never on the text"),
    detail: z.string().optional(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .describe("A problem as RFC 9457 has it");

const problemContent = { content: { "application/problem+json": { schema: problem } } };

export const problemAnswers = {
  "4xx": { description: "Refused, with the reason", ...problemContent },
  "5xx": { description: "It could not be done at the moment", ...problemContent },
};

export const eventStreamAnswer = {
  200: { description: "Server-sent events", content: { "text/event-stream": { schema: z.string() } } },
};
