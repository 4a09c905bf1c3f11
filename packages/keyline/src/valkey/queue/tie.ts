/** Something outside its held list that a job is tied to until it has ended for good. */
export interface Tie {
  /** As the part of the scripts names it that loosens it: leave-groups.lua, tie-*.lua. */
  readonly kind: "id" | "group" | "key" | "result" | "event" | "progress" | "cancel" | "stub" | "child" | "family";
  /** Of a group: the job's id, a space, the group. */
  readonly value: string;
  /** Of a result that is told with the end: what settle-told.lua takes where this is all that the job is tied to. */
  readonly told?: readonly [id: string, json: string, keepMs: number];
}

/** As loosen.lua takes them. */
export function pushTies(values: (string | number)[], ties: readonly (readonly [index: number, tie: Tie])[]): void {
  if (ties.length === 0) return;
  const groups = ties.filter(([, { kind }]) => kind === "group");
  const areFirst = groups.every(([index], place) => index === place);
  values.push(groups.length, areFirst ? "" : groups.map(([index]) => index + 1).join(" "));
  for (const [, { value }] of groups) values.push(value.slice(0, value.indexOf(" ")));
  for (const [, { value }] of groups) values.push(value.slice(value.indexOf(" ") + 1));
  if (groups.length === ties.length) return;
  for (const [index, { kind, value }] of ties) if (kind !== "group") values.push(index + 1, kind, value);
}

export function idAndGroup({ value }: Tie): readonly [id: string, group: string] {
  const end = value.indexOf(" ");
  return [value.slice(0, end), value.slice(end + 1)];
}
