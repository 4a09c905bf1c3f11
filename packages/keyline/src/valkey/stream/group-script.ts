import { scriptsBeside, type Script } from "../client/script.ts";

const script = scriptsBeside(import.meta.url);

/** A script of consumer groups, behind the parts that all of them need. */
export function groupScript(keyCount: number, ...files: readonly string[]): Script {
  return script(keyCount, "group", "client/eras", "stream-state", "group-again", ...files);
}
