import { ActionIcon, Popover } from "@mantine/core";
import { IconBell } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";
import { useAction } from "../../site/page/failures.tsx";
import { formatCount } from "../../site/page/format.ts";
import classes from "./bell.module.css";
import type { MailroomView } from "./mailroom.ts";
import { NotificationList } from "./notification-list.tsx";

interface BellProps {
  readonly mail: MailroomView;
  /** What there is was looked at. */
  onSeen(): void;
  goTo(reviewId: number): Promise<void>;
}

/** Rings for each notification; opens the list of them. */
export function Bell({ mail, onSeen, goTo }: BellProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const action = useAction();
  const { heard, unseen, rings, goneAfter } = mail;
  const toggle = (open: boolean): void => {
    // Those that are new stay marked as long as the list is open.
    if (!open) onSeen();
    setOpen(open);
  };
  return (
    <Popover
      opened={isOpen}
      onChange={toggle}
      width="min(400px, calc(100vw - 24px))"
      position="bottom-end"
      offset={10}
      radius="lg"
      shadow="lg"
      trapFocus
      returnFocus
      zIndex={30}
    >
      <Popover.Target>
        <ActionIcon
          variant="default"
          size={36}
          className={classes.bell ?? ""}
          aria-label={unseen > 0 ? `Notifications, ${formatCount(unseen)} new` : "Notifications"}
          onClick={() => toggle(!isOpen)}
        >
          {/* Mounted anew, so that it swings again. */}
          <IconBell key={rings} size={18} stroke={1.75} className={classes.clapper} data-ringing={rings > 0} />
          {unseen > 0 && (
            <span className={classes.count} aria-hidden="true">
              {unseen > 99 ? "99+" : unseen}
            </span>
          )}
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown p={0} aria-label="Notifications">
        <NotificationList
          heard={heard}
          goneAfter={goneAfter}
          onSelect={(reviewId) => {
            toggle(false);
            action.run(() => goTo(reviewId));
          }}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
