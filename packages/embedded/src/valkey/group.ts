interface Stoppable {
  stop(): Promise<void>;
}

/** All of them, or none: when one does not start, the others are stopped and its error is thrown. */
export async function startTogether<T extends Stoppable>(starts: readonly Promise<T>[]): Promise<readonly T[]> {
  try {
    return await Promise.all(starts);
  } catch (error) {
    const outcomes = await Promise.allSettled(starts);
    await stopTogether(outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])));
    throw error;
  }
}

export async function stopTogether(servers: readonly Stoppable[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}
