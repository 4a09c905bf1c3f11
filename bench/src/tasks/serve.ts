import { openLiveServer } from "../contenders/open-live-server.ts";
import type { LiveServerOptions } from "../contenders/live-server.ts";
import type { Task } from "../process/stage.ts";

export interface ServeParams {
  readonly contender: string;
  readonly options: LiveServerOptions;
}

/** Serves a channel to clients until it is dismissed. */
export const serve: Task<ServeParams, never, null> = async ({ contender, options }, stage) => {
  const server = await openLiveServer(contender, options);
  await stage.serve(server.url);
  await server.close();
  return null;
};
