import type { ValkeyConnection } from "../client/connection.ts";
import type { ChannelKeys } from "./keys.ts";
import { scriptsBeside } from "../client/script.ts";

const script = scriptsBeside(import.meta.url);

/** Somebody who is here, as Valkey has it. */
export interface PresentMember {
  readonly member: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly infoJson: string;
}

const enter = script(3, "presence", "presence-enter");
const leave = script(2, "presence", "presence-leave");
const beat = script(3, "presence", "presence-beat");

/** Who is here on one channel, as the processes say that answer for them. */
export class PresenceSet {
  readonly keys: ChannelKeys;
  readonly connection: ValkeyConnection;
  readonly #owner: string;
  readonly #leaseMs: number;

  constructor(
    connection: ValkeyConnection,
    { keys, owner, leaseMs }: { readonly keys: ChannelKeys; readonly owner: string; readonly leaseMs: number },
  ) {
    this.connection = connection;
    this.keys = keys;
    this.#owner = owner;
    this.#leaseMs = leaseMs;
  }

  async enter(members: readonly { readonly member: string; readonly infoJson: string }[]): Promise<void> {
    const values = [...this.#keys(), this.#owner, this.#leaseMs, ...this.#rest()];
    for (const { member, infoJson } of members) values.push(member, infoJson);
    await enter.run(this.connection, values);
  }

  async leave(member: string): Promise<void> {
    const { members, presenceEvents } = this.keys;
    await leave.run(this.connection, [members, this.keys.membersOf(this.#owner), member, presenceEvents, this.#verb]);
  }

  /** Renews the lease. False when the members, `count` of them, have to be entered again. */
  async beat(count: number): Promise<boolean> {
    const values = [...this.#keys(), this.#owner, this.#leaseMs, ...this.#rest(), "0", count];
    const [isKnown] = (await beat.run(this.connection, values)) as [number];
    return isKnown === 1;
  }

  async list(): Promise<PresentMember[]> {
    const values = [...this.#keys(), "", this.#leaseMs, ...this.#rest(), "1", 0];
    const [, ...found] = (await beat.run(this.connection, values)) as [number, ...string[]];
    const members: PresentMember[] = [];
    for (let index = 0; index < found.length; index += 3) {
      members.push({ member: found[index] ?? "", since: Number(found[index + 1]), infoJson: found[index + 2] ?? "null" });
    }
    return members;
  }

  #keys(): (string | number)[] {
    return [this.keys.owners, this.keys.members, this.keys.membersOf(this.#owner)];
  }

  #rest(): (string | number)[] {
    return [this.keys.membersOf(""), this.keys.presenceEvents, this.#verb];
  }

  get #verb(): string {
    return this.connection.isCluster ? "SPUBLISH" : "PUBLISH";
  }
}
