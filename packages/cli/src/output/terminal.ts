import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** What the process's streams are connected to. */
export interface Terminal {
  readonly isOutput: boolean;
  readonly isError: boolean;
  /** Somebody can be asked. */
  readonly canAsk: boolean;
  /** Columns of standard output. */
  readonly width: number;
  readonly height: number;
  readonly hasColours: boolean;
}

export function readTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process;
  const isOutput = stdout.isTTY;
  return {
    isOutput,
    isError: stderr.isTTY,
    canAsk: stdin.isTTY && stderr.isTTY,
    width: (isOutput && stdout.columns) || 80,
    height: (isOutput && stdout.rows) || 24,
    hasColours: isOutput && !env["NO_COLOR"] && env["TERM"] !== "dumb",
  };
}

/** The text in colour where there are colours. */
export function paint(terminal: Terminal, style: Style | undefined, text: string): string {
  if (!terminal.hasColours || style === undefined || text === "") return text;
  return styleText(style, text, { validateStream: false });
}
