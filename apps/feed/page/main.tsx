import "@mantine/core/styles.css";
import "../../site/page/page.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { FeedPage } from "./feed-page.tsx";
import { openVisit } from "./visit.ts";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element #root");
const visit = openVisit();
createRoot(root).render(
  <StrictMode>
    <FeedPage visit={visit} />
  </StrictMode>,
);
