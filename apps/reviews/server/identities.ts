import { Problem } from "@keyline/gateway";
import type { FastifyRequest } from "fastify";
import type { Tokens } from "../../site/tokens.ts";
import { notificationsOf } from "../channel-names.ts";

const ofUsers = "user:";

/** Who somebody is, by the token of a sign-in. There is no password: this demonstrates what tokens allow, not who may have one. */
export class Identities {
  readonly #tokens: Tokens;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  /** A token whose only right is to hear this user's notifications. */
  signIn(userId: string): Promise<string> {
    return this.#tokens.issue({ subject: `${ofUsers}${userId}`, subscribe: [notificationsOf(userId)] });
  }

  /**
   * Who acts: whom the token names, if there is one, and a body that names somebody else is refused. Without a token it is whom the body
   * names: programs may use the API without a sign-in.
   */
  async require(request: FastifyRequest, named: string | undefined): Promise<string> {
    const { authorization } = request.headers;
    const signedIn = authorization === undefined ? undefined : await this.#userOf(authorization);
    const userId = named ?? signedIn;
    if (userId === undefined) throw new Problem({ title: "Say who acts: userId, or a token", status: 400, code: "INVALID_REQUEST" });
    if (signedIn !== undefined && userId !== signedIn) {
      throw new Problem({ title: `The token is not of ${userId}`, status: 403, code: "FORBIDDEN" });
    }
    return userId;
  }

  async #userOf(authorization: string): Promise<string> {
    const [, token = ""] = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization) ?? [];
    const subject = await this.#tokens.subjectOf(token);
    if (subject?.startsWith(ofUsers)) return subject.slice(ofUsers.length);
    throw new Problem({ title: "The token is not valid: sign in again", status: 401, code: "TOKEN_INVALID" });
  }
}
