import { useRef, useState, type ReactNode } from "react";
import { ConnectionStatus } from "../../site/page/connection-status.tsx";
import { Failures } from "../../site/page/failures.tsx";
import { Frame } from "../../site/page/frame.tsx";
import { Intro } from "../../site/page/intro.tsx";
import { useConnection } from "../../site/page/use-connection.ts";
import { Account } from "./account.ts";
import { Announcements } from "./announcements.tsx";
import { Bell } from "./bell.tsx";
import { recallUser, rememberUser } from "./memory.ts";
import { ReviewComposer } from "./review-composer.tsx";
import { ReviewListPanel } from "./review-list-panel.tsx";
import classes from "./reviews-page.module.css";
import { SignInPanel } from "./sign-in-panel.tsx";
import { useVisit } from "./use-visit.ts";

export function ReviewsPage(): ReactNode {
  const [account, setAccount] = useState(() => {
    const userId = recallUser();
    return userId === undefined ? undefined : new Account(userId);
  });
  const [opened, setOpened] = useState<readonly number[]>([]);
  // What cannot be done without a name asks for one.
  const [isNameWanted, setNameWanted] = useState(false);
  const nameField = useRef<HTMLInputElement>(null);
  const { live, list, reviews, mailroom, mail } = useVisit(account);
  const connection = useConnection(live);

  const change = (next: Account | undefined): void => {
    rememberUser(next?.userId);
    setNameWanted(false);
    setAccount(next);
  };
  const requireAccount = (): Account | undefined => {
    if (!account) {
      setNameWanted(true);
      nameField.current?.focus();
    }
    return account;
  };
  const show = (reviewId: number, isOpen: boolean): void => {
    setOpened((before) => [...before.filter((id) => id !== reviewId), ...(isOpen ? [reviewId] : [])]);
  };
  const goTo = async (reviewId: number): Promise<void> => {
    await list.require(reviewId);
    show(reviewId, true);
    // When it is there.
    requestAnimationFrame(() => document.getElementById(`review-${reviewId}`)?.focus());
  };

  return (
    <Frame
      current="Reviews"
      status={
        <>
          {mail && mailroom && <Bell mail={mail} onSeen={() => mailroom.markSeen()} goTo={goTo} />}
          <ConnectionStatus connection={connection} />
        </>
      }
    >
      <Failures>
        <Intro title="Restaurant reviews" what="Everything that happens to a review is kept in a stream, to be read at any time." />
        <div className={classes.page}>
          <div className={classes.controls}>
            <SignInPanel account={account} isWanted={isNameWanted} nameField={nameField} onChange={change} />
            <ReviewComposer requireAccount={requireAccount} onPosted={(review) => list.addOwn(review)} />
          </div>
          <ReviewListPanel
            list={list}
            view={reviews}
            connection={connection}
            account={account}
            requireAccount={requireAccount}
            opened={opened}
            onOpen={show}
          />
        </div>
        <Announcements mail={mail} />
      </Failures>
    </Frame>
  );
}
