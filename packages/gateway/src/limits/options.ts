/** What the gateway bears. Every figure can be set; each has a default that a small server survives. */
export interface GatewayLimits {
  /**
   * Requests, and messages published and events appended over WebSocket, of one token's subject or else one address, over all gateways. What it begins over live
   * connections counts at each: connections, each channel of an event stream, subscriptions, streams followed, watches, stays, and tokens after the first.
   * Default 600 a minute.
   */
  readonly requests: { readonly max: number; readonly perMs: number };
  /** Live connections of one subject or address at this gateway, and requests that are not answered whole. Default 100 of each. */
  readonly connectionsPerVisitor: number;
  /** Live connections at this gateway. Default 20,000. */
  readonly connections: number;
  /** Connections of one address on which no live connection is open, such as those that send half a request; not of a proxy that is trusted. Default 500. */
  readonly waitingPerAddress: number;
  /** WebSocket frames that one connection may send in a second, for ever; twice as many may come at once. Default 50. */
  readonly framesPerSecond: number;
  /** Channels that one connection may be subscribed to, watch and be present on, and streams that it may follow, each counted. Default 100. */
  readonly channelsPerConnection: number;
  /**
   * How often a connection hears from the gateway when nothing happens, in whole seconds: less than the shortest patience of what is in between. A
   * WebSocket that answers nothing to two in a row is ended. Default 15,000.
   */
  readonly beatMs: number;
  /** How long an event stream lasts at the most before its client has to come back: it cannot answer, so this is how one is noticed that vanished. Default 600,000. */
  readonly eventStreamMs: number;
  /** Bytes that a receiver may leave unread before it is cut. Default 1 MiB. */
  readonly sendBufferBytes: number;
  /** The largest body of a request. Default 256 KiB. */
  readonly bodyBytes: number;
}

/** The largest WebSocket frame that a client may send. */
export const largestFrameBytes = 65_536;

export const defaultLimits: GatewayLimits = {
  requests: { max: 600, perMs: 60_000 },
  connectionsPerVisitor: 100,
  connections: 20_000,
  waitingPerAddress: 500,
  framesPerSecond: 50,
  channelsPerConnection: 100,
  beatMs: 15_000,
  eventStreamMs: 600_000,
  sendBufferBytes: 1_048_576,
  bodyBytes: 262_144,
};
