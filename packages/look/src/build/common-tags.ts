import type { HtmlTagDescriptor, Plugin } from "vite";

const head: HtmlTagDescriptor[] = [
  { tag: "meta", attrs: { charset: "utf-8" }, injectTo: "head-prepend" },
  { tag: "meta", attrs: { name: "viewport", content: "width=device-width, initial-scale=1" }, injectTo: "head-prepend" },
  { tag: "meta", attrs: { name: "color-scheme", content: "light dark" }, injectTo: "head-prepend" },
  // Behind a `<base>` of the page's own, which their addresses are relative to.
  { tag: "link", attrs: { rel: "icon", type: "image/svg+xml", href: "/icon.svg" }, injectTo: "head" },
  { tag: "script", attrs: { src: "/color-scheme.js" }, injectTo: "head" },
];

const body: HtmlTagDescriptor[] = [
  { tag: "noscript", children: "This page needs JavaScript.", injectTo: "body-prepend" },
  { tag: "div", attrs: { id: "root" }, injectTo: "body-prepend" },
];

/** Puts into a page's index.html what all pages have; the files that it names lie in `public`. */
export function commonTags(): Plugin {
  // Before Vite reads it: it makes the addresses those of where the page is served.
  return { name: "common-tags", transformIndexHtml: { order: "pre", handler: () => [...head, ...body] } };
}
