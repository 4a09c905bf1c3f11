import type { Valkey } from "iovalkey";

/** The server's own counters, since it started. */
export interface ValkeyReading {
  /** Commands that the server ran, those that scripts called included. */
  readonly commands: number;
  readonly cpuUs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Reading costs one small INFO, which counts itself: one command and about 3 KB, to be divided by thousands of jobs. */
export async function readValkey(client: Valkey): Promise<ValkeyReading> {
  const info = await client.info("stats", "cpu");
  const field = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]);
  return {
    commands: field("total_commands_processed"),
    cpuUs: (field("used_cpu_user") + field("used_cpu_sys")) * 1_000_000,
    bytesIn: field("total_net_input_bytes"),
    bytesOut: field("total_net_output_bytes"),
  };
}
