import { Refusal } from "../http/refusal.ts";
import { isLoopback, nameInHost } from "./loopback.ts";
import type { TokenOptions } from "@keyline/tokens";
import { TokenVerifier } from "./token-verifier.ts";
import type { Visitor } from "./visitor.ts";

/** Who is let in: those with a token that this key signed, or without any those on this machine. */
export type AccessOptions = TokenOptions | "loopback";

/** By these a proxy says that somebody else asks. */
const proxyHeaders = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/** Decides who is let in. */
export class Access {
  readonly #verifier: TokenVerifier | undefined;

  /** Throws for options with which nobody could be told from anybody. */
  constructor(options: AccessOptions) {
    this.#verifier = options === "loopback" ? undefined : new TokenVerifier(options);
  }

  /**
   * Refuses, where no token is asked for, everybody who is not on this machine; and a name that is not this machine's own: a page of another site may have its
   * name resolve to this machine, and would then be of the same origin (DNS rebinding).
   */
  checkPlace({ headers, url }: Request, remoteAddress: string | undefined): void {
    if (this.#verifier) return;
    const isHere = remoteAddress !== undefined && isLoopback(remoteAddress) && !proxyHeaders.some((name) => headers.has(name));
    if (!isHere) {
      const detail =
        "Without a key to check tokens with, the console is for this machine alone: give it access: { secret }, { publicKey } or { jwks }";
      throw new Refusal({ status: 403, code: "LOOPBACK_ONLY", title: "Only this machine is let in", detail });
    }
    const name = nameInHost(headers.get("host") ?? new URL(url).host);
    if (!isLoopback(name))
      throw new Refusal({ status: 421, code: "MISDIRECTED_REQUEST", title: "The console is not reached by that name" });
  }

  /** Who asks. Throws a refusal for a token that is none, has ended, or says nothing of the console. */
  async visitorOf({ headers }: Request): Promise<Visitor> {
    if (!this.#verifier) return { who: "loopback", role: "operator", expiresAt: undefined };
    const match = /^Bearer +([\w.~+/-]+=*)$/i.exec(headers.get("authorization") ?? "");
    if (!match) throw new Refusal({ status: 401, code: "TOKEN_REQUIRED", title: "The console asks for a token" });
    return this.#verifier.verify(match[1] ?? "");
  }
}
