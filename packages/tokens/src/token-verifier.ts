import { createPublicKey, type KeyObject } from "node:crypto";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  jwtVerify,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from "jose";
import { TokenError } from "./token-error.ts";

type SharedSecret = {
  /** Shared with whoever issues the tokens; at least 32 bytes. Tokens are signed with HS256, unless `algorithms` says otherwise. */
  readonly secret: string | Uint8Array;
  readonly algorithms?: readonly ("HS256" | "HS384" | "HS512")[];
};

type AsymmetricAlgorithm = "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" | "ES256" | "ES384" | "ES512" | "EdDSA" | "Ed25519";

type PublicKey = {
  /** PEM, or a public KeyObject. */
  readonly publicKey: string | KeyObject;
  /** The algorithms to accept. Never one with a shared secret: a public key is no secret. */
  readonly algorithms: readonly AsymmetricAlgorithm[];
};

type KeySet = {
  /** The address of a JWKS document, or the document itself. */
  readonly jwks: URL | JSONWebKeySet;
  readonly algorithms: readonly AsymmetricAlgorithm[];
};

/** What tokens are checked with: a shared secret, a public key, or a set of keys. */
export type TokenKey = SharedSecret | PublicKey | KeySet;

/** How tokens are checked. */
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
  readonly #rules: JWTVerifyOptions;

  /** `claims` are those that a token must have. Throws for a key that is missing or too short, and for algorithms that do not go with it. */
  constructor(options: TokenOptions, claims: readonly string[]) {
    checkKeyKinds(options);
    const isShared = "secret" in options;
    const algorithms = options.algorithms ?? (isShared ? ["HS256"] : []);
    if (algorithms.length === 0) throw new Error("access.algorithms must name the algorithms that tokens may be signed with");
    if (algorithms.some((name) => symmetric.has(name) !== isShared)) {
      throw new Error(`access.algorithms: ${algorithms.join(", ")} does not go with ${isShared ? "a secret" : "a public key"}`);
    }
    this.#key = toKeyFunction(options);
    const { audience, issuer } = options;
    this.#rules = {
      algorithms: [...algorithms],
      requiredClaims: [...claims],
      ...(audience !== undefined && { audience }),
      ...(issuer !== undefined && { issuer }),
    };
  }

  /** What a token says. Throws TokenError. */
  async verify(text: string): Promise<JWTPayload> {
    try {
      return (await jwtVerify(text, this.#key, this.#rules)).payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new TokenError("TOKEN_EXPIRED", "The token has expired");
      if (error instanceof errors.JOSEError) throw new TokenError("TOKEN_INVALID", "The token is not valid");
      throw error;
    }
  }
}

/** Types say the same, but a setting that is missing comes as undefined, whatever its type. */
function checkKeyKinds(options: object): void {
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
      throw new TokenError("KEYS_UNAVAILABLE", "The keys to check tokens with are not available at the moment", { cause: error });
    }
  };
}
