import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { control, mutants, type Mutant } from "./mutants.ts";
import { plant } from "./plant.ts";

/** Plants one bug after the other in a copy of the sources, and has the soak look for it. Returns the exit code: 0 when each was found. */
export async function hunt({ names, firstSeed }: { readonly names: readonly string[]; readonly firstSeed: number }): Promise<number> {
  const unknown = names.filter((name) => ![control, ...mutants].some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new Error(`no such mutant: ${unknown.join(", ")}; there are ${mutants.map(({ name }) => name).join(", ")}`);
  const wanted = [control, ...mutants].filter(({ name }) => names.length === 0 || names.includes(name));
  const survivors: string[] = [];
  for (const mutant of wanted) {
    console.log(`\n${mutant.name}: ${mutant.what}`);
    const seeds = await seedsUntilFound(mutant, firstSeed);
    const isRight = mutant === control ? seeds === undefined : seeds !== undefined;
    if (!isRight) survivors.push(mutant.name);
    console.log(
      seeds === undefined
        ? `${mutant.name}: not found`
        : `${mutant.name}: found with seed ${firstSeed + seeds - 1}, the ${seeds}. of ${mutant.seeds}`,
    );
  }
  console.log(survivors.length === 0 ? `\nall ${wanted.length} as they should be` : `\nnot as they should be: ${survivors.join(", ")}`);
  return survivors.length === 0 ? 0 : 1;
}

/** How many seeds it took; undefined when the budget was used up. */
async function seedsUntilFound(mutant: Mutant, firstSeed: number): Promise<number | undefined> {
  const folder = plant(mutant);
  try {
    for (let seeds = 1; seeds <= mutant.seeds; seeds++) {
      const output = await run(folder, mutant, firstSeed + seeds - 1);
      // A rule, what is wrong with it, and the lines with examples below.
      const found = [...output.matchAll(/^ {2}(\w+): .*(?:\n {4}.*)*/gm)].filter(
        ([, rule = ""]) => mutant === control || mutant.rules.includes(rule),
      );
      for (const [lines] of found) console.log(lines);
      if (found.some(([, rule]) => rule !== "I0")) return seeds;
    }
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a run in the copy printed. */
function run(folder: string, { faults }: Mutant, seed: number): Promise<string> {
  const args = ["--seed", String(seed), "--minutes", "0.1", "--faults-ms", "25000", "--patience-ms", "45000", "--faults", faults.join(",")];
  const child = spawn(process.execPath, ["--conditions=development", join(folder, "packages/keyline/soak/main.ts"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return new Promise((resolve) => {
    let output = "";
    child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
    const end = (): void => void child.kill();
    process.once("exit", end);
    child.on("exit", () => {
      process.off("exit", end);
      resolve(output);
    });
  });
}
