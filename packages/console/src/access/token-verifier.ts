import { TokenError, TokenVerifier as Verifier, type TokenOptions } from "@keyline/tokens";
import { role } from "../api/me.ts";
import { Refusal } from "../http/refusal.ts";
import type { Visitor } from "./visitor.ts";

type Claims = Awaited<ReturnType<Verifier["verify"]>>;

/** Checks tokens, and which role they give. */
export class TokenVerifier {
  readonly #verifier: Verifier;

  /** Throws for a key that is missing or too short, and for algorithms that do not go with it. */
  constructor(options: TokenOptions) {
    if (typeof options !== "object" || options === null)
      throw new Error('access must be "loopback", or have one of secret, publicKey and jwks');
    this.#verifier = new Verifier(options, ["exp", "sub"]);
  }

  /** Throws refusals that say no more than the bearer may know. */
  async verify(text: string): Promise<Visitor> {
    const payload = await this.#verifier.verify(text).catch((error: unknown) => {
      if (!(error instanceof TokenError)) throw error;
      const { code, message } = error;
      throw new Refusal({ status: code === "KEYS_UNAVAILABLE" ? 503 : 401, code, title: message });
    });
    return toVisitor(payload);
  }
}

function toVisitor({ sub = "", exp = 0, console }: Claims): Visitor {
  const parsed = role.safeParse(console);
  if (!parsed.success) {
    const detail = 'It needs the claim "console", which is "operator" or "viewer"';
    throw new Refusal({ status: 403, code: "NO_ROLE", title: "The token is not one for the console", detail });
  }
  return { who: sub, role: parsed.data, expiresAt: exp * 1_000 };
}
