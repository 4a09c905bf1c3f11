/** Where the processes of limited-worker.ts count what they run of a queue, or of a group of it. */
export function countKey(queue: string, what: "running" | "most" | "begun", group?: string): string {
  return `count:${queue}:${what}${group === undefined ? "" : `:${group}`}`;
}
