import { z } from "zod";
import { time } from "./basics.ts";

const storeState = z.enum(["ok", "away", "unused"]);

/** What endangers data or speed, and what to do. */
export const warning = z.object({ code: z.string(), message: z.string(), advice: z.string() });
export type Warning = z.infer<typeof warning>;

/** `GET health`: null is what is not known, as while the store is away. */
export const health = z.object({
  at: time,
  valkey: z.object({
    state: storeState,
    version: z.string().nullable(),
    roundTripMs: z.number().nullable(),
    usedBytes: z.number().nullable(),
    /** 0: no limit. */
    maxBytes: z.number().nullable(),
    policy: z.string().nullable(),
    persistence: z.string().nullable(),
    role: z.string().nullable(),
    evictedKeys: z.number().nullable(),
    isCluster: z.boolean().nullable(),
    clockSkewMs: z.number().nullable(),
  }),
  postgres: z.object({
    state: storeState,
    version: z.string().nullable(),
    roundTripMs: z.number().nullable(),
    migration: z.object({ at: z.number().nullable(), newest: z.number() }).nullable(),
    pool: z.object({ size: z.number(), busy: z.number(), waiting: z.number() }).nullable(),
    relay: z.object({ backlog: z.number().nullable(), oldestMs: z.number().nullable() }).nullable(),
  }),
  warnings: z.array(warning),
  /** What could be better and endangers nothing. */
  notes: z.array(warning),
});
export type Health = z.infer<typeof health>;
export type ValkeyHealth = Health["valkey"];
export type PostgresHealth = Health["postgres"];

/** What every page says of the stores: what it shows may be old, or lack something, while one is away. */
export const stores = z.object({ valkey: storeState, postgres: storeState });
export type Stores = z.infer<typeof stores>;
