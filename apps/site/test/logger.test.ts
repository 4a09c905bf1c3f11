import { expect, test } from "vitest";
import { errorsOnly } from "../logger.ts";

test("an error in the details keeps what it says, on one line, and so does its cause", () => {
  const lines: string[] = [];
  const { error } = errorsOnly((line) => lines.push(line));
  const refused = Object.assign(new Error("refused:\n{}"), { code: "ECONNREFUSED" });
  error({ error: new Error("Valkey is away", { cause: refused }), queue: "orders" }, "a command failed");
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain("\n");
  expect(JSON.parse(lines[0]?.replace("a command failed ", "") ?? "")).toMatchObject({
    queue: "orders",
    error: {
      name: "Error",
      message: "Valkey is away",
      stack: expect.stringContaining("logger.test.ts"),
      cause: { message: "refused:\n{}", code: "ECONNREFUSED" },
    },
  });
});
