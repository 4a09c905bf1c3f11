import "@mantine/core/styles.css";
import "../../site/page/page.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { StartPage } from "./start-page.tsx";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element #root");
createRoot(root).render(
  <StrictMode>
    <StartPage />
  </StrictMode>,
);
