/** Where the console is mounted, without a slash at the end: "" or "/console". */
export const base = new URL(document.baseURI).pathname.replace(/\/(?:index\.html)?$/, "");
