import type { Socket } from "node:net";
import type { Keyline, Logger } from "keyline";
import { isLoopback } from "../server/loopback.ts";
import { Problem } from "../server/problem.ts";
import { Revocations, type Revocation } from "./revocations.ts";
import { Tickets, type Ticket } from "./tickets.ts";
import { allows, type Right, type Token, type Visitor } from "./token.ts";
import { defaultLongestTokenLife, TokenVerifier, type AccessOptions } from "./token-verifier.ts";

/** The parts of a request that say who sends it. */
export interface Credentials {
  readonly ip: string;
  readonly authorization: string | undefined;
  readonly ticket: string | undefined;
  /** By whom the ticket may be shown again; undefined where it is good for once. */
  readonly holder: string | undefined;
}

interface AccessSetup {
  readonly keyline: Keyline;
  readonly logger: Logger;
  readonly options: AccessOptions | undefined;
  /** Live connections must be checked again. */
  readonly onRevoked: () => void;
}

/** Who may do what. Without a key everybody may do everything, which is why the gateway then serves this machine alone. */
export class Access {
  readonly #verifier: TokenVerifier | undefined;
  readonly #tickets: Tickets;
  readonly #revocations: Revocations | undefined;

  constructor({ keyline, logger, options, onRevoked }: AccessSetup) {
    this.#tickets = new Tickets(keyline);
    if (!options) return;
    this.#verifier = new TokenVerifier(options);
    this.#revocations = new Revocations({ keyline, logger, onRevoked, lifeMs: options.longestTokenLife ?? defaultLongestTokenLife });
  }

  get hasKey(): boolean {
    return this.#verifier !== undefined;
  }

  async start(): Promise<void> {
    await this.#revocations?.start();
  }

  async stop(): Promise<void> {
    await this.#revocations?.stop();
  }

  /** Throws a 401 problem for a token or ticket that is not good: whoever shows one does not want to be anonymous. */
  async identify({ ip, authorization, ticket, holder }: Credentials): Promise<Visitor> {
    if (!this.#verifier) return { ip, token: undefined };
    if (authorization !== undefined) return { ip, token: await this.verify(bearerOf(authorization)) };
    if (ticket !== undefined) {
      const token = await this.#redeem(ticket, holder);
      return { ip, token, ticket: holder === undefined ? undefined : ticket };
    }
    return { ip, token: undefined };
  }

  async verify(text: string): Promise<Token> {
    if (!this.#verifier) throw new Problem({ title: "This gateway has no key to check tokens with", status: 401, code: "TOKEN_INVALID" });
    const token = await this.#verifier.verify(text);
    this.#revocations?.check(token);
    return token;
  }

  issueTicket({ token }: Visitor): Promise<Ticket> {
    if (!token) throw tokenMissing();
    return this.#tickets.issue(token);
  }

  /** Call it now and then while a connection of this visitor is open. What is not kept in time has to be asked for again. */
  keep({ ticket, token }: Visitor): void {
    if (ticket !== undefined && token) this.#tickets.keep(ticket, token).catch(() => undefined);
  }

  isRevoked(token: Token): boolean {
    return this.#revocations?.isRevoked(token) ?? false;
  }

  async revoke(revocation: Revocation): Promise<void> {
    if (!this.#revocations) throw new Error("This gateway has no key, so there is no token to revoke");
    await this.#revocations.revoke(revocation);
  }

  /** True when the visitor may; otherwise a 401 problem for one without a token, and 403 for one whose token does not say so. */
  require(visitor: Visitor, what: Right, name: string): void {
    if (!this.#verifier || allows(visitor.token, what, name)) return;
    if (!visitor.token) throw tokenMissing();
    throw new Problem({ title: `The token does not allow this: ${what} ${name}`, status: 403, code: "FORBIDDEN" });
  }

  /**
   * Without a key, only this machine: what comes from a loopback address. And a page whose name resolves to this machine must not get in by its
   * visitor's browser (DNS rebinding).
   */
  checkReached({ remoteAddress }: Pick<Socket, "remoteAddress">, hostHeader: string | undefined): void {
    if (this.#verifier) return;
    const host = hostHeader?.replace(/:\d+$/, "");
    if (remoteAddress !== undefined && isLoopback(remoteAddress) && (host === undefined || isLoopback(host))) return;
    throw new Problem({ title: "Without a key the gateway serves this machine only", status: 403, code: "LOOPBACK_ONLY" });
  }

  async #redeem(ticket: string, holder: string | undefined): Promise<Token> {
    const token = await (holder === undefined ? this.#tickets.redeem(ticket) : this.#tickets.redeemAgain(ticket, holder));
    if (token.expiresAt <= Date.now())
      throw new Problem({ title: "The token of this ticket has expired", status: 401, code: "TOKEN_EXPIRED" });
    this.#revocations?.check(token);
    return token;
  }
}

function bearerOf(authorization: string): string {
  const [, text] = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization) ?? [];
  if (text !== undefined) return text;
  throw new Problem({ title: "Authorization must be a bearer token", status: 401, code: "TOKEN_INVALID" });
}

function tokenMissing(): Problem {
  return new Problem({ title: "This needs a token", status: 401, code: "TOKEN_MISSING" });
}
