import { expect, test, vi } from "vitest";
import { catalog } from "../src/catalog.ts";
import { keyline } from "./support/command.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

const nowhere = { VALKEY_URL: "valkey://ann:s3cret-word@127.0.0.1:1/0" };

test("help lists all commands, and tells of one what it takes", async () => {
  const [all, one, same, version] = await Promise.all([
    keyline(["--help"]),
    keyline(["help", "jobs"]),
    keyline(["jobs", "--help"]),
    keyline(["--version"]),
  ]);
  expect(all).toMatchObject({ code: 0, stderr: "" });
  for (const { name } of catalog) expect(all.stdout).toMatch(new RegExp(`^  ${name} `, "m"));
  expect(one).toMatchObject({ code: 0, stderr: "" });
  expect(one.stdout).toMatch(/--state <state>.*choices: "waiting"/s);
  expect(one.stdout).toMatch(/--json \[fields\]/);
  expect(same.stdout).toBe(one.stdout);
  expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
});

test("what nobody can mean is refused with 2 before anything is asked, and what is meant is suggested", async () => {
  const refusals: readonly (readonly [args: string[], says: RegExp])[] = [
    [[], /Usage: keyline COMMAND/],
    [["statsu"], /unknown command 'statsu'.*Did you mean status/s],
    [["tail", "emails"], /unknown command 'emails'.*keyline tail queue NAME/s],
    [["jobs", "emails", "--json", "id"], /too many arguments.*--json=id,state/s],
    [["jobs"], /missing required argument 'queue'/],
    [["jobs", "emails", "--stat", "dead"], /unknown option '--stat'.*Did you mean --state/s],
    [["jobs", "emails", "--state", "asleep"], /Allowed choices are waiting, scheduled/],
    [["jobs", "emails", "--limit", "0"], /whole number of at least 1/],
    [["jobs", "emails", "others"], /too many arguments/],
    [["add", "emails", "hello"], /DATA is no JSON.*'"hello"'/],
    [["add", "emails", "{"], /DATA is no JSON/],
    [["add", "emails"], /standard input is empty: it must be JSON/],
    [["add", "emails", "1", "--delay", "soon"], /length of time such as 250ms/],
    [["add", "emails", "1", "--lines"], /--lines takes its data from standard input/],
    [["redrive", "emails"], /Say which dead letters are meant/],
    [["redrive", "emails", "--all", "--group", "g"], /--all goes with no filter/],
    [["redrive", "emails", "--error", "/(/"], /--error is no expression/],
    [["cancel", "emails"], /Say which jobs are meant/],
    [["limits", "set", "emails"], /Say what is to be changed/],
    [["limits", "set", "emails", "--rate", "fast"], /number a time, such as 100\/s/],
    [["jobs", "emails", "--valkey", "http://ann:s3cret-word@localhost"], /--valkey \(or VALKEY_URL\) is no address: write valkey:/],
    [["migrate", "--postgres", "ann:s3cret-word@localhost"], /--postgres \(or DATABASE_URL\) is no address: write postgres:/],
    [["completion", "tcsh"], /Allowed choices are bash, zsh, fish/],
  ];
  const results = await Promise.all(refusals.map(([args]) => keyline(args, { env: nowhere })));
  for (const [index, [args, says]] of refusals.entries()) {
    const { code, stdout, stderr } = results[index] ?? {};
    expect(stderr, args.join(" ")).toMatch(says);
    expect(stderr).not.toContain("s3cret-word");
    expect(stderr).not.toMatch(/\n\s+at /);
    expect({ code, stdout }, args.join(" ")).toEqual({ code: 2, stdout: "" });
  }
});

test("a store that does not answer is 1, and is named without its password", async () => {
  const [valkey, postgres, none] = await Promise.all([
    keyline(["jobs", "emails"], { env: nowhere }),
    keyline(["migrate"], { env: { ...nowhere, DATABASE_URL: "postgres://ann:s3cret-word@127.0.0.1:1/shop" } }),
    keyline(["migrate"], { env: nowhere }),
  ]);
  expect(valkey.code).toBe(1);
  expect(valkey.stderr).toMatch(/Asked was Valkey at 127\.0\.0\.1:1\/0\. .*VALKEY_URL/);
  expect(postgres.code).toBe(1);
  expect(postgres.stderr).toMatch(/Asked was PostgreSQL at 127\.0\.0\.1:1\/shop\. .*DATABASE_URL/);
  expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/needs PostgreSQL.*DATABASE_URL/s) as string });
  for (const { stdout, stderr } of [valkey, postgres, none]) expect(stdout + stderr).not.toContain("s3cret-word");
});
