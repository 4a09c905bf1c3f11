import { useState } from "react";
import type { Account } from "./account.ts";
import { recallReacted, rememberReacted } from "./memory.ts";

export interface Reacted {
  has(reviewId: number, reaction: string): boolean;
  note(reviewId: number, reaction: string): void;
}

interface State {
  readonly account: Account | undefined;
  readonly names: readonly string[];
}

const mostKept = 1_000;

/** The reactions that this user has given in this browser: the page offers each of them once. */
export function useReacted(account: Account | undefined): Reacted {
  const [state, setState] = useState<State>(() => stateOf(account));
  if (state.account !== account) setState(stateOf(account));
  return {
    has: (reviewId, reaction) => state.names.includes(nameOf(reviewId, reaction)),
    note: (reviewId, reaction) => {
      setState((before) => {
        const names = [...before.names, nameOf(reviewId, reaction)].slice(-mostKept);
        if (before.account) rememberReacted(before.account.userId, names);
        return { ...before, names };
      });
    },
  };
}

function stateOf(account: Account | undefined): State {
  return { account, names: account ? recallReacted(account.userId) : [] };
}

function nameOf(reviewId: number, reaction: string): string {
  return `${reviewId} ${reaction}`;
}
