import fc from "fast-check";
import type { Child } from "keyline";

/** A job of a random family, and what is to come of it. */
export interface TreeNode {
  readonly queue: 0 | 1;
  /** Its handler makes it a dead letter, where it is run. */
  readonly throws: boolean;
  readonly onChildDead: "die" | "value";
  readonly hasOwnId: boolean;
  readonly delay: number;
  readonly children: readonly TreeNode[];
}

/** What its job is given: whether it comes to be dead, and the same of its children. */
export interface TreeData {
  readonly n: number;
  readonly dies: boolean;
  readonly children: readonly { readonly n: number; readonly dies: boolean }[];
}

/** What the model says. */
export interface Fate {
  readonly n: number;
  readonly data: TreeData;
  readonly child: Child;
  /** It becomes a dead letter, whoever's fault that is. */
  readonly isDead: boolean;
  /** Its handler is run. */
  readonly runs: boolean;
}

function nodes(depth: number): fc.Arbitrary<TreeNode> {
  return fc.record({
    queue: fc.constantFrom(0 as const, 1 as const),
    throws: fc.constantFrom(false, false, false, false, true),
    onChildDead: fc.constantFrom("die" as const, "value" as const),
    hasOwnId: fc.boolean(),
    delay: fc.constantFrom(0, 0, 0, 50),
    children: depth === 0 ? fc.constant([]) : fc.array(nodes(depth - 1), { maxLength: 4 }),
  });
}

/** Up to four levels. */
export const trees = nodes(3);

/** Gives numbers to all jobs of a family, and says what becomes of each: a parent runs where no child of it is dead, or it was to be told of that. */
export function fateOf(
  root: TreeNode,
  queues: readonly Child["queue"][],
  next: () => number,
): { readonly root: Fate; readonly all: Fate[] } {
  const all: Fate[] = [];
  const toFate = (node: TreeNode): Fate => {
    const children = node.children.map(toFate);
    const runs = node.onChildDead === "value" || children.every(({ isDead }) => !isDead);
    const n = next();
    const data: TreeData = { n, dies: node.throws, children: children.map((child) => ({ n: child.n, dies: child.isDead })) };
    const isParent = children.length > 0;
    const child: Child = {
      queue: queues[node.queue] ?? { name: "" },
      data,
      options: {
        ...(node.hasOwnId ? { id: `own-${n}` } : {}),
        ...(isParent ? { children: children.map((one) => one.child), onChildDead: node.onChildDead } : {}),
        ...(!isParent && node.delay > 0 ? { delay: node.delay } : {}),
      },
    };
    const fate = { n, data, child, isDead: node.throws || !runs, runs };
    all.push(fate);
    return fate;
  };
  return { root: toFate(root), all };
}
