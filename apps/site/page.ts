import { readFileSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";

/** Serves a built page at `path`, and its files below it. The path of the start page is empty. */
export async function servePage(site: FastifyInstance, { path, build }: { readonly path: string; readonly build: string }): Promise<void> {
  const html = readFileSync(join(build, "index.html"), "utf8");
  site.get(path || "/", (_request, reply) => reply.type("text/html; charset=utf-8").header("cache-control", "no-cache").send(html));
  if (path) site.get(`${path}/`, (_request, reply) => reply.redirect(path));
  await site.register(fastifyStatic, {
    root: join(build, "assets"),
    prefix: `${path}/assets/`,
    decorateReply: false,
    // Their names change with their content.
    maxAge: 31_536_000_000,
    immutable: true,
  });
  for (const file of ["color-scheme.js", "icon.svg"]) {
    const content = readFileSync(join(build, file));
    const type = file.endsWith(".js") ? "text/javascript; charset=utf-8" : "image/svg+xml";
    site.get(`${path}/${file}`, (_request, reply) => reply.type(type).header("cache-control", "no-cache").send(content));
  }
}
