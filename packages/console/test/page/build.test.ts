import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildPackagePage } from "@keyline/look/build";
import { beforeAll, expect, test } from "vitest";

let build: string;
let html: string;
beforeAll(async () => {
  build = await buildPackagePage("@keyline/console");
  html = readFileSync(join(build, "index.html"), "utf8");
});

test("the page can be mounted anywhere: its addresses are relative to a base that the server puts in", () => {
  expect(html).toContain('<base href="./" />');
  const addresses = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address);
  expect(addresses.filter((address) => !address?.startsWith("./"))).toEqual([]);
});

test("nothing of it is written into its html, so that no script but its files may run", () => {
  expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
  expect(html).not.toMatch(/<style|\son[a-z]+=/);
});

test("what draws charts is loaded when a chart is shown, not with the page", () => {
  const assets = join(build, "assets");
  const isChart = (name: string): boolean => readFileSync(join(assets, name), "utf8").includes("recharts-");
  const charts = readdirSync(assets).filter((name) => name.endsWith(".js") && isChart(name));
  expect(charts).not.toEqual([]);
  for (const name of charts) expect(html).not.toContain(name);
});
