import type { ReactNode } from "react";
import type { ChannelView } from "../../src/api/channel.ts";
import { formatCount } from "../format/numbers.ts";
import { Card } from "../list/card.tsx";
import { Empty } from "../parts/empty.tsx";
import { When } from "../parts/when.tsx";
import { texts } from "../texts.ts";
import classes from "./channel-view.module.css";

const words = texts.channel;

/** Who is here. */
export function PresenceCard({ presence: { members, total } }: { readonly presence: NonNullable<ChannelView["presence"]> }): ReactNode {
  return (
    <Card title={words.presence} aside={<span className={classes.note}>{formatCount(total)}</span>}>
      {members.length === 0 ? (
        <Empty title={words.nobody} />
      ) : (
        // What scrolls must be reached with the keyboard.
        <ul className={classes.members} tabIndex={0} aria-label={words.presence}>
          {members.map(({ member, since }) => (
            <li key={member} className={classes.member}>
              <span>{member}</span>
              <span className={classes.note}>
                <When at={since} />
              </span>
            </li>
          ))}
        </ul>
      )}
      {members.length < total && <p className={classes.note}>{words.firstMembers(formatCount(members.length))}</p>}
    </Card>
  );
}
