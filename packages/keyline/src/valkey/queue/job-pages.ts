import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import { mostElements, nextPlace, type JobFilterValues, type Place, type WalkPlace } from "./cancels.ts";
import { DirectPages, filterOf } from "./direct-pages.ts";
import { admittedIn, tailField, wordsOf } from "./group-texts.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const looking = ["base", "place", "lines", "groups", "tell-end", "cancelled", "look"] as const;
const readPage = script(1, ...looking, "jobs-page");
const promotePage = script(1, ...looking, "promote-page");
const replacePage = script(1, ...looking, "replace-page");

/** A job as it was found. */
interface FoundJob {
  readonly raw: string;
  /** When it is due, in the server's milliseconds, where that is known. */
  readonly due: number | undefined;
  /** Where to go on behind it. */
  readonly behind: string;
}

/** Those of a page that fit, and where to go on if there is more. */
interface JobPage {
  readonly found: readonly FoundJob[];
  readonly next: WalkPlace | undefined;
  /** All elements of the page, where they came here. */
  readonly seen?: readonly string[];
}

/** What comes in the place of an element, and where that goes. */
export interface Replacement {
  readonly old: string;
  readonly element: string;
  /** When it is due from now on: undefined as before. */
  readonly due: { readonly delayMs: number } | { readonly at: number } | undefined;
  /** It goes to the list of its priority, if it waits. */
  readonly isMoved: boolean;
}

/** Where the element is then, or why it was not replaced. */
export type ReplacedState = "waiting" | "scheduled" | "blocked" | "cancelled";

/** Where jobs are: see scripts/look.lua. */
export type AnyPlace = Place | `held:${string}`;

/** Reads jobs of one queue page by page, so few at a time that the server answers others in between. */
export class JobPages {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;
  readonly #direct: DirectPages;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
    this.#direct = new DirectPages(connection, keys);
  }

  /** Those of a page that fit, and where to go on if there is more. */
  async read(place: AnyPlace, at: WalkPlace, filter: JobFilterValues): Promise<JobPage> {
    // Once it is known that elements are small.
    const isDirect = at.size === mostElements && (place.startsWith("waiting") || place === "scheduled" || place.startsWith("line:"));
    return (isDirect ? await this.#readDirect(place, at, filter) : undefined) ?? (await this.#readByScript(place, at, filter));
  }

  async #readDirect(place: AnyPlace, at: WalkPlace, filter: JobFilterValues): Promise<JobPage | undefined> {
    const fits = filterOf(filter);
    const page = fits && (await this.#direct.read(place, at));
    if (!page) return undefined;
    const { members, from, next, shifts } = page;
    const found: FoundJob[] = [];
    const seen: string[] = [];
    let length = 0;
    members.forEach(([member, score], index) => {
      length += member.length;
      const inLine = place.startsWith("line:") ? member.indexOf("|") : -1;
      const raw = member.slice(inLine + 1);
      seen.push(raw);
      if (!fits(raw)) return;
      const due = inLine < 0 ? score : member.slice(0, inLine);
      found.push({ raw, due: due === undefined || due === "0" ? undefined : Number(due), behind: String(from + index + 1) });
    });
    return { found, seen, next: next === undefined ? undefined : nextPlace(String(next), length / members.length, shifts) };
  }

  async #readByScript(place: AnyPlace, { from, size, shifts }: WalkPlace, filter: JobFilterValues): Promise<JobPage> {
    const reply = await readPage.run(this.#connection, [this.#keys.workers, place, from, size, shifts, ...filter]);
    const [next, taken, bytes, ...rest] = reply as [string, number, number, ...string[]];
    const found: FoundJob[] = [];
    for (let index = 0; index < rest.length; index += 3) {
      const due = rest[index + 1] ?? "";
      found.push({ raw: rest[index] ?? "", due: due === "" ? undefined : Number(due), behind: rest[index + 2] ?? "" });
    }
    return { found, next: next === "" ? undefined : nextPlace(next, bytes, taken) };
  }

  /** Makes the job due now if it is on a page of where jobs wait for their time. */
  async promote(
    place: Place,
    { from, size, shifts }: WalkPlace,
    id: string,
  ): Promise<{ readonly isThere: boolean; readonly next: WalkPlace | undefined }> {
    const reply = await promotePage.run(this.#connection, [this.#keys.workers, place, from, size, shifts, "id", id]);
    const [next, taken, bytes, isThere] = reply as [string, number, number, number];
    return { isThere: isThere === 1, next: next === "" ? undefined : nextPlace(next, bytes, taken) };
  }

  /** Puts another element in the place of one, if it is on a page of where jobs wait. Returns where it is then, or that it was cancelled. */
  async replace(
    place: Place,
    { from, size, shifts }: WalkPlace,
    { old, element, due, isMoved }: Replacement,
  ): Promise<{ readonly state: ReplacedState | undefined; readonly next: WalkPlace | undefined }> {
    const when = due === undefined ? ["", ""] : "at" in due ? ["at", due.at] : ["delay", due.delayMs];
    const values = [this.#keys.workers, place, from, size, shifts, old, element, ...when, isMoved ? 1 : 0];
    const reply = (await replacePage.run(this.#connection, values)) as [string, number, number, "" | ReplacedState];
    const [next, taken, bytes, state] = reply;
    return { state: state === "" ? undefined : state, next: next === "" ? undefined : nextPlace(next, bytes, taken) };
  }

  /** The jobs of each group that have their turn: see scripts/groups.lua. */
  async admitted(groups: readonly string[]): Promise<Map<string, ReadonlySet<string>>> {
    const admitted = new Map<string, ReadonlySet<string>>();
    if (groups.length === 0) return admitted;
    const texts = await this.#connection.client.hmget(this.#keys.groups, ...groups);
    groups.forEach((group, index) => {
      const words = wordsOf(admittedIn(texts[index] ?? ""));
      admitted.set(group, new Set(words.filter((_, place) => place % 2 === 0)));
    });
    return admitted;
  }

  /** Those of the lines of these groups in which jobs stand. */
  async linesOf(groups: readonly string[]): Promise<ReadonlySet<Place>> {
    if (groups.length === 0) return new Set();
    const { client } = this.#connection;
    const [tails, sizes] = await Promise.all([
      client.hmget(this.#keys.lines, ...groups.map(tailField)),
      Promise.all(groups.map((group) => client.exists(this.#keys.line(group)))),
    ]);
    const lines = new Set<Place>();
    groups.forEach((group, index) => {
      if (typeof tails[index] === "string") lines.add(`lines:${group}`);
      if (sizes[index] === 1) lines.add(`line:${group}`);
    });
    return lines;
  }
}
