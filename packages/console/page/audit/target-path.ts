import { paths } from "../routes.ts";

/** Where the target of an act is shown: `queue:mails`, `queue:mails/JOB`, `queue:mails/schedule:daily`, `stream:events/GROUP`, `channel:news`. */
export function pathOfTarget(target: string): string | undefined {
  const [, kind, name, below] = /^(queue|stream|channel):([^/]+)(?:\/(.+))?$/.exec(target) ?? [];
  if (kind === undefined || name === undefined) return undefined;
  if (kind === "channel") return paths.channel(name);
  if (kind === "stream") return below === undefined ? paths.stream(name) : paths.group(name, below);
  if (below === undefined) return paths.queue(name);
  return below.startsWith("schedule:") ? paths.schedules(name) : paths.job(name, below);
}
