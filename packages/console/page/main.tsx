import "@mantine/core/styles.css";
import "../../../apps/site/page/page.css";
import "./console.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ConsolePage } from "./console-page.tsx";
import { takeTokenFromFragment } from "./server/session.ts";

// Before anything is asked of the server, and so that the token stands in no history.
takeTokenFromFragment();
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element #root");
createRoot(root).render(
  <StrictMode>
    <ConsolePage />
  </StrictMode>,
);
