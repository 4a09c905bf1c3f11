/** What the command ends with; docs/guides/command-line.md explains them. The last two are 128 and the number of the signal, as of any program that a signal ends. */
export const exitCodes = { done: 0, failed: 1, wrongUse: 2, unhealthy: 3, interrupted: 130, terminated: 143 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The command line asks for something that there is not, or in a way that cannot be meant: whoever typed it has to change it. */
export class WrongUse extends Error {
  override readonly name = "WrongUse";
}

/** It was tried, and did not come to what was asked for. The message says all there is to say. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/** Somebody has stopped it before it was done. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: ExitCode;

  constructor(signal: NodeJS.Signals) {
    super(`It was stopped by ${signal}.`);
    this.exitCode = signal === "SIGINT" ? exitCodes.interrupted : exitCodes.terminated;
  }
}
