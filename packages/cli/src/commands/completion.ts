import { Argument, type Command } from "commander";
import { action } from "../context.ts";

export function define(command: Command): void {
  command
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", "\nTo have it now: source <(keyline completion bash). For good: put that line into ~/.bashrc or ~/.zshrc.")
    .action(
      action(async (_, shell: string) => {
        const { script } = await import("@bomb.sh/tab");
        script(shell, "keyline", "keyline");
      }),
    );
}
