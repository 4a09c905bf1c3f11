import type { Logger } from "../../runtime/logger.ts";
import type { Roster } from "../../valkey/client/roster.ts";
import type { GroupLog } from "../../valkey/stream/group-log.ts";
import { groupRoster } from "../../valkey/stream/group-roster.ts";
import { aboutMe, readAbout, type About } from "../../work/about.ts";
import type { Lease } from "../../work/lease.ts";
import { RosterDuty } from "../../work/roster-duty.ts";
import type { HeldEntry } from "./held-entry.ts";
import type { ConsumePolicy } from "./options.ts";

/** A consumer of any process whose lease goes on. */
export interface ConsumerInfo extends About {
  /** How many entries it runs. It tells so while somebody asks, with the renewals of its lease; until then those count that were handed out to it for the first time. */
  readonly running: number;
}

interface DutyParts {
  readonly lease: Lease<unknown>;
  readonly policy: ConsumePolicy;
  readonly held: () => Iterable<HeldEntry<unknown>>;
  readonly logger: Logger;
}

/** The duty of a consumer that says what it is. */
export function rosterDuty({ connection, name, keys }: GroupLog, { lease, policy, held, logger }: DutyParts): RosterDuty {
  const roster = groupRoster(connection, name, keys);
  const { leaseMs, concurrency } = policy;
  return new RosterDuty({ roster, lease, leaseMs, about: aboutMe(concurrency), describe: () => describeRunning(held()), logger });
}

/** What a consumer tells of what it runs. */
function describeRunning(held: Iterable<HeldEntry<unknown>>): string {
  return String([...held].filter(({ phase, attempt }) => phase === "running" && attempt !== undefined).length);
}

/** The consumers of a group, those first that began first. */
export async function readConsumers(roster: Roster): Promise<ConsumerInfo[]> {
  const consumers = (await roster.read({ isAsking: true })).map(({ name, about, report, held }) => {
    const said = readAbout(name, about);
    return { ...said, running: report === "" ? Math.min(held, said.concurrency ?? held) : Number(report) };
  });
  return consumers.toSorted((one, other) => (one.startedAt ?? 0) - (other.startedAt ?? 0));
}
