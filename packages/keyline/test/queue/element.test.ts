import { asChild, asParent, withoutDeath } from "../../src/queue/families/family-element.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { beginning, decodeElement, encodeElement, readHead, withAttempts } from "../../src/queue/element.ts";

const ids = fc.stringMatching(/^[A-Za-z0-9._:-]{1,40}$/);
const data = fc.jsonValue().filter((value) => !JSON.stringify(value).includes("proto"));
const elements = fc.record({
  id: ids,
  dataJson: data.map((value) => JSON.stringify(value)),
  at: fc.integer({ min: 0, max: 2 ** 45 }),
  attempts: fc.integer({ min: 0, max: 1_000_000 }),
  maxAttempts: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
  hasOwnId: fc.boolean(),
  isAgain: fc.boolean(),
  key: fc.option(ids, { nil: undefined }),
  isLatest: fc.boolean(),
  parks: fc.integer({ min: 0, max: 1_000 }),
  isChild: fc.boolean(),
  isParent: fc.boolean(),
});

test("an element is read as it was written", () => {
  fc.assert(
    fc.property(elements, (element) => {
      const { dataJson, ...rest } = element;
      expect(decodeElement(encodeElement(element))).toEqual({ ...rest, data: JSON.parse(dataJson) });
    }),
  );
});

test("its beginning shows id, attempts and time, and is what a script finds it by", () => {
  fc.assert(
    fc.property(elements, (element) => {
      const raw = encodeElement(element);
      expect(readHead(raw.slice(0, 300))).toEqual({ id: element.id, attempts: element.attempts, at: element.at, parks: element.parks });
      const begins = beginning(raw, decodeElement(raw));
      expect(raw.startsWith(begins)).toBe(true);
      expect(begins.endsWith(`"id":"${element.id}"`)).toBe(true);
    }),
  );
});

test("what families write into an element changes nothing else, and what says that it is to die goes again", () => {
  fc.assert(
    fc.property(elements, fc.string(), (element, reason) => {
      const raw = encodeElement({ ...element, isChild: false });
      const read = decodeElement(raw);
      const mark = "batch 7 queue some-id@123";
      expect(decodeElement(asChild(raw, mark))).toEqual({ ...read, isChild: true, parent: mark });
      expect(decodeElement(asParent(raw))).toEqual({ ...read, isParent: true });
      expect(asParent(asParent(raw))).toBe(asParent(raw));
      const dying = raw.replace(',"data":', () => `,"dies":${JSON.stringify(reason)},"data":`);
      expect(decodeElement(dying)).toEqual({ ...read, dies: reason });
      expect(withoutDeath(dying)).toBe(raw);
      expect(withoutDeath(raw)).toBe(raw);
    }),
  );
});

describe("counting attempts", () => {
  const spaces = fc.constantFrom("", " ", "\n  ");
  const foreign = fc.record({ id: ids, data, trace: fc.string(), attempts: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }) });

  test("changes the count and nothing else, also of what a foreign writer wrote", () => {
    fc.assert(
      fc.property(foreign, spaces, spaces, fc.integer({ min: 1, max: 1_000 }), (element, before, inside, attempts) => {
        const text = JSON.stringify(element);
        const raw = `${before}{${inside}${text.slice(1)}`;
        const counted = withAttempts(withAttempts(raw, attempts), attempts + 1);
        expect(decodeElement(counted).attempts).toBe(attempts + 1);
        const { attempts: _, ...others } = JSON.parse(counted) as Record<string, unknown>;
        const { attempts: __, ...originals } = JSON.parse(raw) as Record<string, unknown>;
        expect(others).toEqual(originals);
      }),
    );
  });

  test("the count in front is the one that holds", () => {
    expect(decodeElement('{"attempts":3,"id":"a","data":1,"attempts":9}').attempts).toBe(3);
    expect(decodeElement('{"id":"a","data":1,"attempts":9}').attempts).toBe(9);
    expect(decodeElement('{"id":"a","data":1,"attempts":-9}').attempts).toBe(0);
  });
});

test("what is no element is refused with the reason", () => {
  expect(() => decodeElement("null")).toThrow("it is not a JSON object");
  expect(() => decodeElement('{"data":1}')).toThrow('it has no field "id"');
  expect(() => decodeElement('{"id":true,"data":1}')).toThrow('it has no field "id"');
  expect(() => decodeElement('{"id":"1"}')).toThrow('it has no field "data"');
  expect(decodeElement('{"id":7,"data":null}')).toMatchObject({ id: "7", data: null });
});
