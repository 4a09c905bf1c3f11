import { TokenError, TokenVerifier as Verifier, type TokenErrorCode, type TokenOptions } from "@keyline/tokens";
import { Problem } from "../server/problem.ts";
import { toToken, type Token } from "./token.ts";

/** How tokens are checked. `exp` is always required. */
export type AccessOptions = TokenOptions & {
  /** Milliseconds: a token whose `exp` is further away is refused, so that a revocation can be forgotten one day. Default 24 hours. */
  readonly longestTokenLife?: number;
};

export const defaultLongestTokenLife = 86_400_000;

/** How far an issuer's clock may be ahead. */
const clockSkewMs = 5_000;

/** Checks tokens, and that they do not live too long. */
export class TokenVerifier {
  readonly #verifier: Verifier;
  readonly #longestLifeMs: number;

  /** Throws for a secret that is too short, and for algorithms that do not go with the key. */
  constructor(options: AccessOptions) {
    this.#verifier = new Verifier(options, ["exp", "iat", "sub"]);
    this.#longestLifeMs = options.longestTokenLife ?? defaultLongestTokenLife;
  }

  /** Its whole life, not what is left of it: a revocation is remembered for as long as a token may live, and not for one that begins later. */
  #isShortLived({ issuedAt, expiresAt }: Token): boolean {
    const now = Date.now();
    return (
      issuedAt !== undefined &&
      issuedAt <= now + clockSkewMs &&
      expiresAt - issuedAt <= this.#longestLifeMs &&
      expiresAt <= now + this.#longestLifeMs
    );
  }

  /** Throws a 401 problem that says no more than the bearer may know. */
  async verify(text: string): Promise<Token> {
    const payload = await this.#verifier.verify(text).catch((error: unknown) => {
      throw error instanceof TokenError ? toProblem(error.code, error.message) : error;
    });
    const token = toToken(payload);
    if (token && this.#isShortLived(token)) return token;
    throw new Problem({ title: "The token is not valid", status: 401, code: "TOKEN_INVALID" });
  }
}

function toProblem(code: TokenErrorCode, title: string): Problem {
  return code === "KEYS_UNAVAILABLE" ? new Problem({ title, status: 503, code }, 5) : new Problem({ title, status: 401, code });
}
