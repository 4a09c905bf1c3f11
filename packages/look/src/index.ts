// First, as it brings Mantine's styles along: those of a page's own come behind them.
export { showPage } from "./show-page.tsx";
export { LiveStatus } from "./frame/live-status.tsx";
export { PageFrame } from "./frame/page-frame.tsx";
