export { openBrowser } from "./open-browser.ts";
export { openPage } from "./open-page.ts";
