import type { Keyline } from "keyline";
import { eventually } from "../../../../keyline/test/support/stage.ts";
import type { RunningDemo } from "./running-demo.ts";

const rooms = ["kitchen", "hall", "attic", "cellar"];

/** A stream with keys, a group that keeps up, one that fails at some entries, and one that nobody consumes for. */
export async function startReadings(keyline: Keyline): Promise<RunningDemo> {
  const readings = keyline.stream<{ room: string; degrees: number }>("readings", { key: ({ room }) => room });
  const away = readings.consume("archive", () => undefined);
  await away.stop();
  const averages = readings.consume("averages", () => undefined);
  const alerts = readings.consume(
    "alerts",
    ({ data }) => {
      if (data.degrees > 30) throw new RangeError(`${data.degrees} degrees in the ${data.room} cannot be`);
    },
    { maxAttempts: 1 },
  );
  await readings.appendMany(Array.from({ length: 60 }, (_, index) => readingOf(index)));
  await eventually("the group has dead letters", async () => {
    const status = (await readings.groups()).find(({ name }) => name === "alerts");
    return (status?.dead ?? 0) > 0;
  });
  let taken = 60;
  const timer = setInterval(() => void readings.append(readingOf(taken++)).catch(() => undefined), 900);
  return {
    close: async () => {
      clearInterval(timer);
      await Promise.all([averages.stop(), alerts.stop()]);
    },
  };
}

function readingOf(index: number): { room: string; degrees: number } {
  return { room: rooms[index % rooms.length] ?? "hall", degrees: index % 20 === 7 ? 41 : 18 + (index % 6) };
}
