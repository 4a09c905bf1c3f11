/** A server that brings one channel to many clients; one implementation per contender. */
export interface LiveServer {
  readonly url: string;
  readonly close: () => Promise<void>;
}

export interface LiveServerOptions {
  readonly valkey: string;
  readonly channel: string;
}

export type OpenLiveServer = (options: LiveServerOptions) => Promise<LiveServer>;
