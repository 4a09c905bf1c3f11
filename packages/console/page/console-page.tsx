import { QueryClientProvider } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Router } from "wouter";
import { NoticesPlace } from "./acts/notices.tsx";
import { ConsoleFrame } from "./frame/console-frame.tsx";
import { TokenPrompt } from "./frame/token-prompt.tsx";
import { base } from "./server/base.ts";
import { queryClient } from "./server/query-client.ts";
import { TaskDock } from "./tasks/task-dock.tsx";
import { Views } from "./views.tsx";

export function ConsolePage(): ReactNode {
  return (
    <QueryClientProvider client={queryClient}>
      <Router base={base}>
        <NoticesPlace dock={<TaskDock />}>
          <ConsoleFrame>
            <Views />
          </ConsoleFrame>
          <TokenPrompt />
        </NoticesPlace>
      </Router>
    </QueryClientProvider>
  );
}
