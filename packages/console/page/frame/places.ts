import type { OverviewItem } from "../../src/api/overview.ts";
import { paths } from "../routes.ts";
import { texts } from "../texts.ts";

export interface Place {
  readonly key: string;
  readonly name: string;
  readonly what: string;
  readonly to: string;
}

const mostShown = 12;
const views: readonly Place[] = [
  { key: "overview", name: texts.nav.overview, what: texts.goTo.view, to: paths.overview },
  { key: "tasks", name: texts.nav.tasks, what: texts.goTo.view, to: paths.tasks },
  { key: "health", name: texts.nav.health, what: texts.goTo.view, to: paths.health },
  { key: "audit", name: texts.nav.audit, what: texts.goTo.view, to: paths.audit() },
];

/** What has this text in its name; and the job of that id, in the queue where the reader is. */
export function placesFor(text: string, items: readonly OverviewItem[], location: string): Place[] {
  const things = items.map(({ kind, name }) => ({ key: `${kind}:${name}`, name, what: texts.kinds[kind], to: pathOf({ kind, name }) }));
  const wanted = text.toLowerCase();
  const found = [...things, ...views].filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, mostShown);
  const queue = /^\/queues\/([^/]+)/.exec(location)?.[1];
  if (queue === undefined || !/^[A-Za-z0-9._:-]{1,200}$/.test(text)) return found;
  return [...found, { key: "job", name: text, what: texts.goTo.jobIn(queue), to: paths.job(queue, text) }];
}

export function pathOf({ kind, name }: Pick<OverviewItem, "kind" | "name">): string {
  if (kind === "queue") return paths.queue(name);
  return kind === "stream" ? paths.stream(name) : paths.channel(name);
}
