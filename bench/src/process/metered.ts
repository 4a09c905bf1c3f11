import type { Bench } from "../suite/bench.ts";
import type { Costs } from "../suite/case.ts";
import type { MeterReading } from "../servers/servers.ts";
import type { AftermathOf, ResultOf, TaskName } from "../tasks/index.ts";
import type { Contender, Outcome } from "./contender.ts";

export interface Metered<Name extends TaskName> extends Outcome<ResultOf<Name>> {
  readonly aftermath: AftermathOf<Name>;
  readonly used: MeterReading;
}

/** Waits for a contender to be ready, runs it between two readings of the servers' meters, then dismisses it. */
export async function runMetered<Name extends TaskName>(contender: Contender<Name>, bench: Bench): Promise<Metered<Name>> {
  await contender.ready();
  const before = await bench.servers.read();
  const outcome = await contender.run();
  const after = await bench.servers.read();
  const aftermath = await contender.dismiss();
  return { ...outcome, aftermath, used: difference(before, after) };
}

export function costsPerJob<Name extends TaskName>({ used, clientCpuUs }: Metered<Name>, timedJobs: number): Costs {
  // A quick run's few jobs may all have passed before the clock started.
  const jobs = Math.max(1, timedJobs);
  return {
    valkeyCommands: used.commands / jobs,
    valkeyCpuUs: used.cpuUs / jobs,
    valkeyBytes: (used.bytesIn + used.bytesOut) / jobs,
    clientCpuUs: clientCpuUs / jobs,
    ...(used.postgresCpuUs !== undefined && { postgresCpuUs: used.postgresCpuUs / jobs }),
    ...(used.natsCpuUs !== undefined && { natsCpuUs: used.natsCpuUs / jobs }),
  };
}

function difference(before: MeterReading, after: MeterReading): MeterReading {
  return {
    commands: after.commands - before.commands,
    cpuUs: after.cpuUs - before.cpuUs,
    bytesIn: after.bytesIn - before.bytesIn,
    bytesOut: after.bytesOut - before.bytesOut,
    postgresCpuUs: between(before.postgresCpuUs, after.postgresCpuUs),
    natsCpuUs: between(before.natsCpuUs, after.natsCpuUs),
  };
}

function between(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}
