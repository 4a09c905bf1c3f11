import type { ReactNode } from "react";
import { texts } from "../texts.ts";
import { Tag, type Tone } from "./tag.tsx";

const tones: Readonly<Record<string, Tone>> = {
  running: "accent",
  completed: "ok",
  done: "ok",
  dead: "danger",
  failed: "danger",
  parked: "warn",
  blocked: "warn",
  paused: "warn",
};

/** The state of a job, a group or a task. */
export function StateTag({ state }: { readonly state: string }): ReactNode {
  const words: Readonly<Record<string, string>> = texts.states;
  return <Tag tone={tones[state] ?? "plain"}>{words[state] ?? state}</Tag>;
}
