import "../runtime/node-version.ts";
export type { DrainOptions } from "./drain.ts";
export type { Ran } from "./ran.ts";
export { createTestKeyline, type TestKeyline, type TestKeylineOptions } from "./test-keyline.ts";
