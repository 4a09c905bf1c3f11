export { buildPackagePage } from "./build-package-page.ts";
export { buildPage, type PageSource } from "./build-page.ts";
export { runVite } from "./run-vite.ts";
