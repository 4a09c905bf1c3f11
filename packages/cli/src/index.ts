export { run } from "./program.ts";
export { exitCodes, type ExitCode } from "./exit-codes.ts";
