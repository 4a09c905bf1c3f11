import { connect, type Live } from "@keyline/client";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { Account } from "./account.ts";
import { Mailroom, type MailroomView } from "./mailroom.ts";
import { ReviewList, type ReviewListView } from "./review-list.ts";

export interface Visit {
  readonly live: Live | undefined;
  readonly list: ReviewList;
  readonly reviews: ReviewListView;
  /** Of whoever is signed in. */
  readonly mailroom: Mailroom | undefined;
  readonly mail: MailroomView | undefined;
}

const nothing = (): undefined => undefined;
const never = (): (() => void) => () => undefined;

/** The page's one connection, as a guest's or a user's, and what comes over it. */
export function useVisit(account: Account | undefined): Visit {
  const [list] = useState(() => new ReviewList());
  const [live, setLive] = useState<Live>();
  const mailroom = useMemo(() => account && new Mailroom(account.userId), [account]);

  useEffect(() => {
    // Belongs to one user: another one's is another connection.
    const connection = connect("/", { token: account && (() => present(account, mailroom, () => connection)) });
    const stop = connection.on("state", (state) => {
      if (state !== "online") return;
      mailroom?.attendance.begin();
      list.retry();
    });
    list.attach(connection);
    mailroom?.open(connection);
    setLive(connection);
    return () => {
      stop();
      connection.close();
    };
  }, [account, mailroom, list]);

  const reviews = useSyncExternalStore(list.subscribe, list.view);
  const mail = useSyncExternalStore<MailroomView | undefined>(mailroom?.subscribe ?? never, mailroom?.view ?? nothing);
  return { live, list, reviews, mailroom, mail };
}

async function present(account: Account, mailroom: Mailroom | undefined, live: () => Live): Promise<string> {
  const { token, at } = await account.renew();
  // It is also asked for while the connection goes on.
  if (live().state !== "online") mailroom?.attendance.prepare(at);
  return token;
}
