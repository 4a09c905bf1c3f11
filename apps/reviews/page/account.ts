import { RequestFailed } from "../../site/page/request.ts";
import { signIn, type SignedIn } from "./api.ts";

// Tokens live for a quarter of an hour.
const freshMs = 600_000;

/** Somebody who is signed in: the tokens with which to listen and to write. */
export class Account {
  readonly userId: string;
  #last: SignedIn | undefined;
  #asOf = 0;

  constructor(userId: string) {
    this.userId = userId;
  }

  /** A token that is made now, and the server's time. Rejects with RequestFailed. */
  async renew(): Promise<SignedIn> {
    const signedIn = await signIn(this.userId);
    this.#last = signedIn;
    this.#asOf = performance.now();
    return signedIn;
  }

  /** Runs it with a token that is good; after a restart of the server those of before are not. */
  async use<Result>(work: (token: string) => Promise<Result>): Promise<Result> {
    const isFresh = performance.now() - this.#asOf < freshMs;
    const { token } = (isFresh && this.#last) || (await this.renew());
    try {
      return await work(token);
    } catch (error) {
      if (!(error instanceof RequestFailed && error.code === "TOKEN_INVALID")) throw error;
      return work((await this.renew()).token);
    }
  }
}
