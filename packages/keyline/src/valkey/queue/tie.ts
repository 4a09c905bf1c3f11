/** Something outside its held list that a job is tied to until it has ended for good. */
export interface Tie {
  /** As the part of the scripts names it that loosens it: leave-groups.lua, tie-*.lua. */
  readonly kind: "id" | "group" | "key" | "result" | "event" | "progress" | "cancel" | "stub" | "child" | "family";
  /** What that part takes. */
  readonly value: string;
  /** Of a result that is told with the end: what settle-told.lua takes where this is all that the job is tied to. */
  readonly told?: readonly [id: string, json: string, keepMs: number] | undefined;
}

/** That of a group: its value is the job's id. */
export interface GroupTie extends Tie {
  readonly kind: "group";
  readonly group: string;
}

const isOfGroup = (tie: Tie): tie is GroupTie => tie.kind === "group";

/** As loosen.lua takes them. Written for jobs of groups, of which there are many: it makes nothing but what is sent. */
export function pushTies(values: (string | number)[], ties: readonly (readonly [index: number, tie: Tie])[]): void {
  if (ties.length === 0) return;
  const countAt = values.length;
  values.push(0, "");
  let count = 0;
  let areFirst = true;
  for (const [index, tie] of ties) {
    if (!isOfGroup(tie)) continue;
    if (index !== count++) areFirst = false;
    values.push(tie.value);
  }
  for (const [, tie] of ties) if (isOfGroup(tie)) values.push(tie.group);
  values[countAt] = count;
  if (!areFirst) values[countAt + 1] = numbersOfGroups(ties);
  if (count === ties.length) return;
  for (const [index, { kind, value }] of ties) if (kind !== "group") values.push(index + 1, kind, value);
}

function numbersOfGroups(ties: readonly (readonly [index: number, tie: Tie])[]): string {
  return ties
    .filter(([, tie]) => isOfGroup(tie))
    .map(([index]) => index + 1)
    .join(" ");
}
