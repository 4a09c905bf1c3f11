/*
 * The clock's functions as they were when this module was loaded. Test runners replace those of the process by functions that stand still until a test
 * moves them on ("fake timers"); what Keyline does over a real connection would then never be sent, nor given up.
 */
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, queueMicrotask } = globalThis;

/** Milliseconds that only ever grow. */
export const performance: { readonly now: () => number } = { now: globalThis.performance.now.bind(globalThis.performance) };
