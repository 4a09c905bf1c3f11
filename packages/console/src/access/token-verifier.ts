import { createPublicKey, type KeyObject } from "node:crypto";
import { createLocalJWKSet, createRemoteJWKSet, errors, jwtVerify, type JSONWebKeySet, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { role } from "../api/me.ts";
import { Refusal } from "../http/refusal.ts";
import type { Visitor } from "./visitor.ts";

type AsymmetricAlgorithm = "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" | "ES256" | "ES384" | "ES512" | "EdDSA" | "Ed25519";

type TokenKey =
  | {
      /** Shared with whoever issues the tokens; at least 32 bytes. Tokens are signed with HS256, unless `algorithms` says otherwise. */
      readonly secret: string | Uint8Array;
      readonly algorithms?: readonly ("HS256" | "HS384" | "HS512")[];
    }
  | {
      /** PEM, or a public KeyObject. */
      readonly publicKey: string | KeyObject;
      readonly algorithms: readonly AsymmetricAlgorithm[];
    }
  | {
      /** The address of a JWKS document, or the document itself. */
      readonly jwks: URL | JSONWebKeySet;
      readonly algorithms: readonly AsymmetricAlgorithm[];
    };

/** How tokens are checked: as the gateway's are, so one key does for both. `exp` and `sub` are always required. */
export type TokenOptions = TokenKey & {
  /** The `aud` that a token must have. Default: not checked. */
  readonly audience?: string;
  /** The `iss` that a token must have. Default: not checked. */
  readonly issuer?: string;
};

const symmetric = new Set(["HS256", "HS384", "HS512"]);
const fewestSecretBytes = 32;

/** Checks tokens, with one kind of key and a fixed list of algorithms. */
export class TokenVerifier {
  readonly #key: JWTVerifyGetKey;
  readonly #options: TokenOptions;
  readonly #algorithms: string[];

  /** Throws for a key that is missing or too short, and for algorithms that do not go with it. */
  constructor(options: TokenOptions) {
    checkKeyKinds(options);
    const isShared = "secret" in options;
    this.#algorithms = [...(options.algorithms ?? (isShared ? ["HS256"] : []))];
    if (this.#algorithms.length === 0) throw new Error("access.algorithms must name the algorithms that tokens may be signed with");
    if (this.#algorithms.some((name) => symmetric.has(name) !== isShared)) {
      throw new Error(`access.algorithms: ${this.#algorithms.join(", ")} does not go with ${isShared ? "a secret" : "a public key"}`);
    }
    this.#key = toKeyFunction(options);
    this.#options = options;
  }

  /** Throws refusals that say no more than the bearer may know. */
  async verify(text: string): Promise<Visitor> {
    const { audience, issuer } = this.#options;
    try {
      const { payload } = await jwtVerify(text, this.#key, {
        algorithms: this.#algorithms,
        requiredClaims: ["exp", "sub"],
        ...(audience !== undefined && { audience }),
        ...(issuer !== undefined && { issuer }),
      });
      return toVisitor(payload);
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new Refusal({ status: 401, code: "TOKEN_EXPIRED", title: "The token has ended" });
      if (error instanceof errors.JOSEError) throw new Refusal({ status: 401, code: "TOKEN_INVALID", title: "The token is not valid" });
      throw error;
    }
  }
}

function toVisitor({ sub = "", exp = 0, console }: JWTPayload): Visitor {
  const parsed = role.safeParse(console);
  if (!parsed.success) {
    const detail = 'It needs the claim "console", which is "operator" or "viewer"';
    throw new Refusal({ status: 403, code: "NO_ROLE", title: "The token is not one for the console", detail });
  }
  return { who: sub, role: parsed.data, expiresAt: exp * 1_000 };
}

/** Types say the same, but a setting that is missing comes as undefined, whatever its type. */
function checkKeyKinds(options: object): void {
  if (typeof options !== "object" || options === null)
    throw new Error('access must be "loopback", or have one of secret, publicKey and jwks');
  const given = ["secret", "publicKey", "jwks"].filter((kind) => kind in options);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    throw new Error(`access needs one of secret, publicKey and jwks, not ${given.length === 0 ? "none of them" : given.join(" and ")}`);
  }
  if (Reflect.get(options, kind) === undefined) throw new Error(`access.${kind} is undefined: is the setting that it comes from missing?`);
}

function toKeyFunction(options: TokenOptions): JWTVerifyGetKey {
  if ("jwks" in options) return options.jwks instanceof URL ? remoteKeys(options.jwks) : createLocalJWKSet(options.jwks);
  if ("publicKey" in options) {
    const key = typeof options.publicKey === "string" ? createPublicKey(options.publicKey) : options.publicKey;
    return () => key;
  }
  const secret = typeof options.secret === "string" ? new TextEncoder().encode(options.secret) : options.secret;
  if (secret.byteLength < fewestSecretBytes) throw new Error(`access.secret must have at least ${fewestSecretBytes} bytes`);
  return () => secret;
}

/** That keys cannot be fetched is not the fault of the token. */
function remoteKeys(url: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url);
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      throw new Refusal({ status: 503, code: "KEYS_UNAVAILABLE", title: "The keys to check tokens with are not available at the moment" });
    }
  };
}
