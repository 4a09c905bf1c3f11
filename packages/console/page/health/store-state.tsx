import type { ReactNode } from "react";
import type { Stores } from "../../src/api/health.ts";
import { Tag } from "../parts/tag.tsx";
import { texts } from "../texts.ts";

const tones = { ok: "ok", away: "danger", unused: "plain" } as const;

export function StoreState({ state }: { readonly state: Stores["valkey"] }): ReactNode {
  return <Tag tone={tones[state]}>{texts.health.states[state]}</Tag>;
}
