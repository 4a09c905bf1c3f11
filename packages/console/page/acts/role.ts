import { texts } from "../texts.ts";
import { useMe } from "../server/queries.ts";

/** Why the reader may not act; undefined for those who may. */
export function useRefusal(): string | undefined {
  const { data } = useMe();
  if (data === undefined) return texts.acts.notYetKnown;
  return data.role === "operator" ? undefined : texts.acts.viewer;
}
