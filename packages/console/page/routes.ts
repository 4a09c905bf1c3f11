/** Paths within the console: the page is mounted anywhere, and wouter puts the base in front. */
export const paths = {
  overview: "/",
  queue: (queue: string) => `/queues/${segment(queue)}`,
  jobs: (queue: string, filter: Filter = {}) => `/queues/${segment(queue)}/jobs${searchOf(filter)}`,
  job: (queue: string, id: string) => `/queues/${segment(queue)}/jobs/${segment(id)}`,
  letters: (queue: string, filter: Filter = {}) => `/queues/${segment(queue)}/letters${searchOf(filter)}`,
  groups: (queue: string, filter: Filter = {}) => `/queues/${segment(queue)}/groups${searchOf(filter)}`,
  schedules: (queue: string) => `/queues/${segment(queue)}/schedules`,
  limits: (queue: string) => `/queues/${segment(queue)}/limits`,
  channel: (channel: string) => `/channels/${segment(channel)}`,
  stream: (stream: string, filter: Filter = {}) => `/streams/${segment(stream)}${searchOf(filter)}`,
  group: (stream: string, group: string, filter: Filter = {}) => `/streams/${segment(stream)}/groups/${segment(group)}${searchOf(filter)}`,
  tasks: "/tasks",
  health: "/health",
  audit: (filter: Filter = {}) => `/audit${searchOf(filter)}`,
} as const;

export type Filter = Readonly<Record<string, string | undefined>>;

function segment(name: string): string {
  return encodeURIComponent(name);
}

/** "?state=dead", or nothing where nothing is filtered. */
export function searchOf(filter: Filter): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) {
    if (value !== undefined && value !== "") search.set(name, value);
  }
  return search.size === 0 ? "" : `?${search.toString()}`;
}
