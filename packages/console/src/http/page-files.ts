import { readFileSync, readdirSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { securityHeaders } from "./answers.ts";

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** What the page's index.html has where the server puts in the path that it is mounted at. */
const emptyBase = '<base href="./" />';

/** The page that is published with this package: beside its code. */
export const builtPage = fileURLToPath(new URL("../page", import.meta.url));

interface PageFile {
  readonly content: Buffer;
  readonly headers: Record<string, string>;
}

/** The files of the built page. All of them are read at once: they are few, and what is asked for afterwards is no path of this machine. */
export class PageFiles {
  readonly #files = new Map<string, PageFile>();
  readonly #html: string | undefined;

  /** Without a folder, or with one that is not built, the API answers all the same. */
  constructor(folder: string | undefined) {
    for (const file of folder === undefined ? [] : filesIn(folder)) {
      const name = relative(folder ?? "", file)
        .split(sep)
        .join("/");
      this.#files.set(name, { content: readFileSync(file), headers: headersOf(name) });
    }
    this.#html = this.#files.get("index.html")?.content.toString("utf8");
    this.#files.delete("index.html");
  }

  /** A file of the page, or for every other path the page itself, which then shows what the path says. Undefined where no page was built. */
  answer(path: string, base: string): Response | undefined {
    const file = this.#files.get(path);
    if (file) return new Response(new Uint8Array(file.content), { headers: file.headers });
    // What looks like a file and is none must not be answered with a page, which would be kept for it.
    if (path.startsWith("assets/")) return undefined;
    if (this.#html === undefined) return undefined;
    return new Response(this.#html.replace(emptyBase, `<base href="${escapeAttribute(base)}/" />`), { headers: headersOf("index.html") });
  }
}

function headersOf(name: string): Record<string, string> {
  // The names of assets change with their content.
  const cache = name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  return { ...securityHeaders, "content-type": types[extname(name)] ?? "application/octet-stream", "cache-control": cache };
}

function filesIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}

function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
