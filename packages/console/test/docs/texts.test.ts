import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync, Visitor } from "vite";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "../../page");
const files = globSync("**/*.tsx", { cwd: folder });

/** Attributes that somebody reads, or hears. */
const spoken = /^(?:aria-(?:label|description|roledescription|valuetext)|title|label|placeholder|alt|description|message)$/;
const isWord = (text: string): boolean => /\p{L}{2}/u.test(text);
/** What a sentence or a heading looks like. Names of keys do too. */
const isSentence = (text: string): boolean => /^\p{Lu}\p{Ll}+(?:[ ,.:]|$)/u.test(text) && !/^(?:Enter|Escape|Tab|Home|End)$/.test(text);

/** What of a component's source would be shown as it is written there. */
function literalTexts(file: string, source: string): string[] {
  const found: string[] = [];
  const { program, errors } = parseSync(file, source);
  expect(errors).toEqual([]);
  new Visitor({
    JSXText: ({ value }) => void (isWord(value) && found.push(value.trim())),
    JSXAttribute: ({ name, value }) => {
      const isRead = name.type === "JSXIdentifier" && spoken.test(name.name);
      if (isRead && value?.type === "Literal" && isWord(value.value)) found.push(value.value);
    },
    Literal: ({ value }) => void (typeof value === "string" && isSentence(value) && found.push(value)),
    TemplateElement: ({ value }) => void (/\p{L}{2} \p{L}{2}/u.test(value.raw) && found.push(value.raw)),
  }).visit(program);
  return found;
}

test.each([
  ["<p>Nothing here</p>", "Nothing here"],
  ['<a title="more">{one}</a>', "more"],
  ["<p>{one ? 'Yes' : words.no}</p>", "Yes"],
  ["<p>{`there are ${count} of them`}</p>", "there are"],
])("%s is seen", (source, text) => {
  expect(literalTexts("some.tsx", `export const some = ${source};`)).toContainEqual(expect.stringContaining(text));
});

test("what is no text is not", () => {
  const source = 'export const some = <p role="img" className="a b">{words.one} · {`${count} %`}</p>;';
  expect(literalTexts("some.tsx", source)).toEqual([]);
});

test("the components of the page have no texts of their own: all are in texts.ts", () => {
  expect(files.length).toBeGreaterThan(60);
  const found = files.flatMap((file) => literalTexts(file, readFileSync(join(folder, file), "utf8")).map((text) => [file, text]));
  expect(found).toEqual([]);
});
