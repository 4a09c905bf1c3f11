import { scriptsBeside } from "./script.ts";

/** Begins a lease: of a worker of a queue, or of a consumer of a group. */
export const registerLease = scriptsBeside(import.meta.url)(1, "register");
