import "@mantine/core/styles.css";
import "./page.css";
import { MantineProvider } from "@mantine/core";
import { StrictMode, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { resolveVariables, theme } from "./theme.ts";

/** Shows a page in its document. Whoever calls it imports it before anything with styles of its own, which go on top of those of all pages. */
export function showPage(page: ReactNode): void {
  const root = document.getElementById("root");
  if (!root) throw new Error("index.html has no element #root");
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={resolveVariables} defaultColorScheme="auto">
        {page}
      </MantineProvider>
    </StrictMode>,
  );
}
