import { z } from "zod";
import { countedAddress } from "./address.ts";
import { matchesName, namePatterns } from "./names.ts";

/** The claims that the gateway reads. Others are of no interest to it. */
const claims = z.object({
  sub: z.string().min(1).max(200),
  exp: z.number(),
  iat: z.number().optional(),
  jti: z.string().min(1).max(200).optional(),
  channels: z.object({ subscribe: namePatterns.optional(), publish: namePatterns.optional() }).optional(),
  streams: z.object({ read: namePatterns.optional(), append: namePatterns.optional() }).optional(),
  queues: namePatterns.optional(),
  jobs: z.object({ see: namePatterns.optional(), change: namePatterns.optional() }).optional(),
});

/** To subscribe and publish on channels, to read and append to streams, to add to queues, to see jobs of queues and to change them. */
export type Right = "subscribe" | "publish" | "read" | "append" | "queues" | "seeJobs" | "changeJobs";

/** A token that was found good, reduced to what is asked of it. */
export interface Token {
  readonly subject: string;
  readonly id: string | undefined;
  readonly issuedAt: number | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly read: readonly string[];
  readonly append: readonly string[];
  readonly queues: readonly string[];
  readonly seeJobs: readonly string[];
  readonly changeJobs: readonly string[];
}

const none: readonly string[] = [];

/** Undefined for claims that are not of the gateway's form. */
export function toToken(payload: unknown): Token | undefined {
  const { data } = claims.safeParse(payload);
  if (!data) return undefined;
  return {
    subject: data.sub,
    id: data.jti,
    issuedAt: data.iat === undefined ? undefined : data.iat * 1_000,
    expiresAt: data.exp * 1_000,
    subscribe: data.channels?.subscribe ?? none,
    publish: data.channels?.publish ?? none,
    read: data.streams?.read ?? none,
    append: data.streams?.append ?? none,
    queues: data.queues ?? none,
    seeJobs: data.jobs?.see ?? none,
    changeJobs: data.jobs?.change ?? none,
  };
}

/** Who asks: the bearer of a token, or somebody at an address. */
export interface Visitor {
  readonly ip: string;
  readonly token: Token | undefined;
  /** With which the event stream was opened, and may be opened again. */
  readonly ticket?: string | undefined;
}

/** Under which name a visitor's requests and connections are counted. */
export function visitorKey({ ip, token }: Visitor): string {
  return token ? `sub:${token.subject}` : `ip:${countedAddress(ip)}`;
}

/** Under which name the tickets that somebody guesses are counted. */
export function guesserKey(ip: string): string {
  return `guess:${countedAddress(ip)}`;
}

export function allows(token: Token | undefined, what: Right, name: string): boolean {
  return token !== undefined && matchesName(token[what], name);
}
