import type { Command } from "commander";
import { definePausing } from "../acts/pausing.ts";

export function define(command: Command): void {
  definePausing(command, "pause");
}
