import { Argument, type Command } from "commander";
import { bashScript } from "../completion/bash-script.ts";
import { action } from "../context.ts";

// Where nothing else has been completed so far, zsh does not know yet how.
const zshHead = `#compdef keyline
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }`;

export function define(command: Command): void {
  command
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", "\nTo have it now: source <(keyline completion bash). For good: put that line into ~/.bashrc or ~/.zshrc.")
    .action(
      action(async ({ output }, shell: string) => {
        if (shell === "bash") return output.text(bashScript);
        if (shell === "zsh") await output.text(zshHead);
        const { script } = await import("@bomb.sh/tab");
        script(shell, "keyline", "keyline");
      }),
    );
}
