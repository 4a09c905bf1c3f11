import { useEffect, useState } from "react";
import { readersRoom } from "../channel-names.ts";
import { longestAuthor } from "../limits.ts";
import type { Visit } from "./visit.ts";

export interface Reader {
  readonly id: string;
  readonly name: string;
  readonly isYou: boolean;
}

/** Who has this page open, by the name that each goes by; undefined until it is known. This page is there under `author`. */
export function useReaders({ live, readerId }: Visit, author: string): readonly Reader[] | undefined {
  const [readers, setReaders] = useState<readonly Reader[]>();

  useEffect(() => {
    const presence = live.presence(readersRoom);
    const list = (): void => {
      const members = [...watch.members.values()].sort((a, b) => a.since - b.since);
      setReaders(members.map(({ member, info }) => ({ id: member, name: nameIn(info), isYou: member === `reader:${readerId}` })));
    };
    const watch = presence.watch(list);
    watch.ready.then(list, () => undefined);
    return () => watch.close();
  }, [live, readerId]);

  useEffect(() => {
    const presence = live.presence(readersRoom);
    // What refuses it now is said by the state of the connection.
    presence.enter({ name: author }).catch(() => undefined);
    // Others are told of one who comes, not of one who changes.
    return () => void presence.leave().catch(() => undefined);
  }, [live, author]);

  return readers;
}

/** Any page may say anything here. */
function nameIn(info: unknown): string {
  const name: unknown = typeof info === "object" && info !== null ? Reflect.get(info, "name") : undefined;
  return typeof name === "string" && name.trim() !== "" ? name.slice(0, longestAuthor) : "somebody";
}
