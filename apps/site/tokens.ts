import { randomBytes } from "node:crypto";
import { errors, jwtVerify, SignJWT } from "jose";

const lifeMs = 900_000;

interface Claims {
  readonly subject: string;
  /** Names, or beginnings of names that end with `*`, of channels that are not public. */
  readonly subscribe?: readonly string[];
}

/** Issues the tokens that the gateway of this process accepts. Its secret is of this process: after a restart everybody gets new ones. */
export class Tokens {
  readonly secret: Uint8Array = randomBytes(32);

  issue({ subject, subscribe = [] }: Claims): Promise<string> {
    return new SignJWT({ channels: { subscribe } })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime(new Date(Date.now() + lifeMs))
      .sign(this.secret);
  }

  /** Whom a token is of; undefined when it is not of this process, or has expired. */
  async subjectOf(token: string): Promise<string | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.secret, { algorithms: ["HS256"], requiredClaims: ["sub", "exp"] });
      return payload.sub;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}
