/** Aborted by Ctrl-C and by SIGTERM. From the first use on they end what is followed and not the process; a second one ends that too. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort(new Error(`It was stopped by ${name}.`)));
  return controller.signal;
}
