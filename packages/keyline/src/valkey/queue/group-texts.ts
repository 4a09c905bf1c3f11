/* What scripts/groups.lua writes of a group, as far as it is read elsewhere. */

/** The field of the hash `lines` that is there while jobs of a group hang on one another, or have done so. */
export function tailField(group: string): string {
  return `\x1d${group}`;
}

/** Of the text of a group its jobs on the queue: id, when, ..., as `wordsOf` takes them apart. They had spaces between them once, and two numbers in front. */
export function admittedIn(text: string): string {
  const admitted = text.slice(text.indexOf("\x1f") + 1);
  return admitted.includes("\x1e") ? admitted : admitted.replace(/^-?\d+ -?\d+\|/, "").replaceAll(" ", "\x1e");
}

export function wordsOf(admitted: string): readonly string[] {
  return admitted === "" ? [] : admitted.split("\x1e");
}
