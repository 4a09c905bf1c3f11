import { existsSync, readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { catalog } from "./catalog.ts";
import { exitCodes } from "./exit-codes.ts";

const valueOptions = new Set(["--valkey", "--sentinel", "--postgres", "--prefix"]);

const common = [
  new Option("--json [fields]", "print an object a line: all of it, or --json=these,fields"),
  new Option("--valkey <url>", "where Valkey is (VALKEY_URL); several, with commas between, are a cluster"),
  new Option("--sentinel <name>", "the primary's name; --valkey has the sentinels (VALKEY_SENTINEL)"),
  new Option("--postgres <url>", "where PostgreSQL is (DATABASE_URL)"),
  new Option("--prefix <prefix>", "the beginning of every key (KEYLINE_PREFIX), by default kl"),
];

/** Runs the command that these arguments name, and sets the exit code of the process. */
export async function run(args: readonly string[]): Promise<void> {
  const argv = args.map(bareJson);
  try {
    const program = await createProgram(wanted(argv));
    if (argv[0] === "complete") {
      const { complete } = await import("./completion/complete.ts");
      return await complete(program, argv.slice(argv[1] === "--" ? 2 : 1));
    }
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // It has said what is wrong already. Help and the version end so too.
    const hint = hintFor(error.code, args);
    if (hint !== undefined) process.stderr.write(`${hint}\n`);
    process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.wrongUse;
  }
}

/** The program with all commands, of which only those that are wanted know what they take: loading each takes its time. */
async function createProgram(isWanted: (name: string) => boolean): Promise<Command> {
  const program = new Command("keyline")
    .description("See and run queues, channels and streams of Keyline.")
    .version(version())
    .usage("COMMAND [options]")
    .configureHelp({ showGlobalOptions: true })
    .helpOption("-h, --help", "show help")
    .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong use, 3 unhealthy (doctor, status --check), 130 stopped by Ctrl-C.");
  program.exitOverride();
  for (const option of common) program.addOption(option);
  for (const { name, summary, load } of catalog) {
    const command = program.command(name).summary(summary).description(sentence(summary));
    if (isWanted(name)) (await load()).define(command);
  }
  return program;
}

/** The first word that is no option is the command; help and completion may want any of them. */
function wanted(argv: readonly string[]): (name: string) => boolean {
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (valueOptions.has(word)) index++;
    else if (!word.startsWith("-")) words.push(word);
  }
  const [first, second] = words;
  if (first === "help") return (name) => name === second;
  return first === "completion" || first === "complete" ? () => true : (name) => name === first;
}

// Its value is optional, so that it would take the next word for one: the name of a queue, say.
function bareJson(word: string): string {
  return word === "--json" ? "--json=" : word;
}

/** What is meant where it looks like something else. */
function hintFor(code: string, args: readonly string[]): string | undefined {
  if (code === "commander.excessArguments" && args.includes("--json")) return "(Fields go with an equals sign: --json=id,state)";
  if (code === "commander.unknownCommand" && args[0] === "tail") {
    return "(Say what it is: keyline tail queue NAME, keyline tail channel NAME or keyline tail stream NAME)";
  }
  return undefined;
}

function sentence(summary: string): string {
  return `${summary.slice(0, 1).toUpperCase()}${summary.slice(1)}.`;
}

/** Of this package: what is published has its manifest beside the modules. */
function version(): string {
  const manifest = ["./package.json", "../package.json"].map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  if (!manifest) return "unknown";
  const { version: found } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string };
  return found;
}
