import type { Command } from "commander";
import { defineConsumers } from "./groups/consumers.ts";
import { defineDiscard, defineLetters, defineRedrive } from "./groups/letters.ts";
import { defineList } from "./groups/list.ts";
import { defineRemove, defineReset } from "./groups/place.ts";

export function define(command: Command): void {
  command.description(
    "Groups of a stream are those that consume it, each with its place and its dead letters. Groups of a queue are those that its jobs were added with, of which one runs at a time.",
  );
  defineList(command);
  defineConsumers(command);
  defineLetters(command);
  defineRedrive(command);
  defineDiscard(command);
  defineReset(command);
  defineRemove(command);
}
