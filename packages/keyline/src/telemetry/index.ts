import "../runtime/node-version.ts";
export { instrument, type InstrumentOptions } from "./instrument.ts";
