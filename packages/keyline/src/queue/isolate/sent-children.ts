import { NamedQueue } from "../families/member.ts";

/** Children on their way out of an isolate: of their queues go the names. What is wrong with them is found by the worker. */
export function withNames(children: unknown): unknown {
  return withQueues(children, (queue) => (hasName(queue) ? { name: queue.name } : queue));
}

/** The same in the worker's process, where the names are those of queues. */
export function withNamedQueues(children: unknown): unknown {
  return withQueues(children, (queue) => (hasName(queue) ? new NamedQueue(queue.name) : queue));
}

/** Also of a family that has itself inside, which is refused later. */
function withQueues(children: unknown, toQueue: (queue: unknown) => unknown, known = new Map<unknown, unknown[]>()): unknown {
  if (!Array.isArray(children)) return children;
  const before = known.get(children);
  if (before) return before;
  const all: unknown[] = [];
  known.set(children, all);
  for (const child of children as readonly unknown[]) {
    if (!isObject(child)) {
      all.push(child);
      continue;
    }
    const { queue, options, ...rest } = child;
    const below =
      isObject(options) && "children" in options ? { ...options, children: withQueues(options["children"], toQueue, known) } : options;
    all.push({ ...rest, queue: toQueue(queue), ...(below === undefined ? {} : { options: below }) });
  }
  return all;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function hasName(queue: unknown): queue is { readonly name: string } {
  return isObject(queue) && typeof queue["name"] === "string";
}
