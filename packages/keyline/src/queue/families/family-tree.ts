import { KeylineError } from "../../runtime/errors.ts";
import { checkOptionNames } from "../../runtime/options.ts";
import { lengthOf } from "../../runtime/probe.ts";
import type { ChildDeath } from "../../postgres/job/family-calls.ts";
import type { AddRequest } from "../add/add-request.ts";
import type { Child, FamilyOptions } from "../options.ts";
import { memberOf, NamedQueue, type Member } from "./member.ts";

/** So many jobs may one call add below a parent. */
const mostJobs = 200_000;

/** A job below another one, checked. */
export interface FamilyNode {
  readonly member: Member;
  readonly request: AddRequest;
  readonly parent: { readonly queue: string; readonly id: string };
  /** Given where it has children itself. */
  readonly death: ChildDeath | undefined;
}

/** A job whose children are still to be read. */
interface Above {
  readonly queue: string;
  readonly id: string;
  readonly path: string;
  readonly children: readonly Child[];
  readonly parent: Above | undefined;
}

const childNames = new Set<string>(["queue", "data", "options"] satisfies (keyof Child)[]);
const noOptions: NonNullable<Child["options"]> = {};
const deaths = new Set<unknown>(["die", "ignore", "value"]);

/** Adds children, and tells of it where somebody wants to know. */
export function sendChildren(
  { seam, door }: Member,
  children: readonly Child[],
  send: (trace: string | undefined) => Promise<void>,
): Promise<void> {
  const { probe } = seam;
  if (!probe) return send(undefined);
  const places = new Set(Array.isArray(children) ? children.map((child) => memberOf(child?.queue, door)?.queue) : []);
  const [place] = places;
  return probe.send({ place: places.size === 1 ? place : undefined, count: lengthOf(children) }, send);
}

/** What the death of a child does. Throws INVALID_OPTION. */
export function deathOf(onChildDead: FamilyOptions["onChildDead"] = "die"): ChildDeath {
  if (deaths.has(onChildDead)) return onChildDead;
  throw invalid(`onChildDead must be "die", "ignore" or "value", not ${JSON.stringify(onChildDead)}`);
}

/** A parent begins when its children have ended: nothing else says when. Throws INVALID_OPTION. */
export function checkParent({ placement }: AddRequest, path: string): void {
  const { delayMs, runAt, group, once } = placement ?? {};
  const wrong = once ? "deduplicate" : group !== undefined ? "group" : (delayMs ?? runAt) !== undefined ? "delay or runAt" : undefined;
  if (wrong !== undefined) throw invalid(`${path} has children, with which ${wrong} does not go: it runs when they have ended`);
}

/** A job of a group keeps its turn while it waits: a child behind it in that line would never come to its own. Throws INVALID_OPTION. */
export function checkUngrouped({
  id,
  queue,
  group,
}: {
  readonly id: string;
  readonly queue: string;
  readonly group: string | undefined;
}): void {
  if (group === undefined) return;
  throw invalid(`Job ${id} of queue ${queue} is of a group, and cannot have children: the others of its group would wait for them`);
}

/**
 * Everything below a job, checked, in the order of adding: parents before their children. Throws INVALID_OPTION, CLOSED and, for each child, what `add` throws; nothing has been
 * sent then.
 */
export async function readTree(
  root: Member,
  { id, children, trace }: { readonly id: string; readonly children: readonly Child[]; readonly trace: string | undefined },
): Promise<FamilyNode[]> {
  const nodes: FamilyNode[] = [];
  const known = new Map<string, string>([[`${root.queue}/${id}`, "the parent"]]);
  const above: Above[] = [{ queue: root.queue, id, path: "children", children, parent: undefined }];
  for (const parent of above) {
    if (!Array.isArray(parent.children)) throw invalid(`${parent.path} must be an array of { queue, data, options }`);
    for (let index = 0; index < parent.children.length; index++) {
      // Hardly any is checked by a schema that takes its time, and there may be many.
      const { member, family, checked } = readChild(root, parent, index);
      const request = checked instanceof Promise ? await checked : checked;
      const { node, below } = toNode({ parent, index, trace, member, family }, request);
      if (nodes.push(node) > mostJobs) throw invalid(`A family may have ${mostJobs} jobs at the most: add the others from its handler`);
      if (node.request.isOwnId) noteOwnId(known, node, pathOf(parent, index));
      if (below) above.push(below);
    }
  }
  return nodes;
}

/** Ids that Keyline made are those of no other job. */
function noteOwnId(known: Map<string, string>, { member: { queue }, request: { id } }: FamilyNode, path: string): void {
  const key = `${queue}/${id}`;
  const same = known.get(key);
  if (same !== undefined) throw invalid(`${path} is job ${id} of queue ${queue}, and so is ${same}: a job is in a family once`);
  known.set(key, path);
}

type OwnFamily = { readonly [Name in keyof FamilyOptions]: FamilyOptions[Name] | undefined };

interface Place {
  readonly parent: Above;
  readonly index: number;
  readonly trace: string | undefined;
}

interface ReadChild {
  readonly member: Member;
  readonly family: OwnFamily;
  readonly checked: AddRequest | Promise<AddRequest>;
}

/** As its caller knows it. */
function pathOf({ path }: Above, index: number): string {
  return `${path}[${index}]`;
}

function readChild(root: Member, parent: Above, index: number): ReadChild {
  const child = parent.children[index];
  if (typeof child !== "object" || child === null) throw invalid(`${pathOf(parent, index)} must be { queue, data, options }`);
  if (!isChild(child)) checkOptionNames(pathOf(parent, index), child, childNames);
  const { queue, data, options = noOptions } = child;
  const member = memberOf(queue, root.door);
  if (!member && queue instanceof NamedQueue)
    throw invalid(`${pathOf(parent, index)}.queue is ${queue.name}, which the worker's Keyline has not: make it there with keyline.queue`);
  if (!member) throw invalid(`${pathOf(parent, index)}.queue is no queue: give what keyline.queue returns`);
  checkDoor(root, member, parent, index);
  if ((member.outlet === undefined) !== (root.outlet === undefined)) {
    const kind = root.outlet ? "is not transactional, and its parent is" : "is transactional, and its parent is not";
    throw invalid(`${pathOf(parent, index)}.queue is ${member.queue}, which ${kind}: a family is all of one kind`);
  }
  if (options === noOptions) return { member, family: noOptions, checked: member.check(data, noOptions) };
  const { children, onChildDead, ...rest } = options;
  return { member, family: { children, onChildDead }, checked: member.check(data, rest) };
}

function isChild(child: object): boolean {
  return !Array.isArray(child) && Object.keys(child).every((name) => childNames.has(name));
}

function toNode(
  { parent, index, trace, member, family }: Omit<ReadChild, "checked"> & Place,
  request: AddRequest,
): { readonly node: FamilyNode; readonly below: Above | undefined } {
  const { children, onChildDead } = family;
  if (request.placement?.once)
    throw invalid(`${pathOf(parent, index)} has deduplicate, which children cannot have: another job may be there instead`);
  const isParent = children !== undefined && children.length > 0;
  const death = deathOf(onChildDead);
  const node: FamilyNode = {
    member,
    request: trace === undefined ? { ...request, isChild: true } : { ...request, isChild: true, trace },
    parent,
    death: isParent ? death : undefined,
  };
  if (children === undefined || (Array.isArray(children) && children.length === 0)) return { node, below: undefined };
  checkParent(request, pathOf(parent, index));
  for (let one: Above | undefined = parent; one; one = one.parent) {
    if (one.children === children) throw invalid(`${pathOf(parent, index)} has itself inside: its children are those of ${one.path}`);
  }
  return { node, below: { queue: member.queue, id: request.id, path: `${pathOf(parent, index)}.options.children`, children, parent } };
}

function checkDoor(root: Member, { door, queue }: Member, parent: Above, index: number): void {
  try {
    door.check();
  } catch (cause) {
    const message = `${pathOf(parent, index)}.queue is ${queue} of a Keyline that was closed: nothing was added; give the queue that the parent's Keyline has`;
    throw new KeylineError("CLOSED", message, { cause });
  }
  if (door !== root.door) throw invalid(`${pathOf(parent, index)}.queue is ${queue} of another Keyline: a family has one`);
}

function invalid(message: string): KeylineError {
  return new KeylineError("INVALID_OPTION", message);
}
