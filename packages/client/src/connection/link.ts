import type { Answers, ClientFrame, FrameOf } from "./frames.ts";

/** How a connection ended: the close code, and for how long the gateway asks to stay away. */
export interface LinkEnd {
  readonly code: number;
  readonly retryMs?: number | undefined;
}

/** A part of a frame that is JSON already. */
export interface Payload {
  readonly key: "data" | "info";
  readonly json: string;
}

/** A connection to the gateway, from its opening to its end. It ends once. */
export interface Link {
  /** Resolves when it can be used, or has ended. */
  readonly hello: Promise<void>;
  readonly ended: Promise<LinkEnd>;
  readonly isEnded: boolean;
  /** Sends a frame that gets no answer of its own; before the greeting, and after the end, nothing. */
  send(frame: ClientFrame): void;
  /**
   * Sends a frame that gets one answer. Rejects with the gateway's refusal, OUTCOME_UNKNOWN, or before anything is sent with OFFLINE,
   * PAYLOAD_TOO_LARGE or TOO_MANY_REQUESTS.
   */
  request<Type extends keyof Answers>(frame: FrameOf<Type>, payload?: Payload): Promise<Answers[Type]>;
  /** Asks whether the gateway is still there. */
  probe(): void;
  end(code: number): void;
}
