import { Notification } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconMinus } from "@tabler/icons-react";
import { createContext, useCallback, useContext, useEffect, useState, type ReactNode } from "react";
import type { Outcome } from "./outcome.ts";
import { messageOf } from "../server/api-failed.ts";
import { texts } from "../texts.ts";
import classes from "./notices.module.css";

interface Notice {
  readonly id: number;
  readonly text: string;
  readonly kind: keyof typeof looks;
}

interface Notices {
  tell(outcome: Outcome): void;
  fail(error: unknown): void;
}

const looks = {
  done: { color: "teal", Icon: IconCheck },
  unchanged: { color: "gray", Icon: IconMinus },
  failed: { color: "red", Icon: IconAlertTriangle },
} as const;
const shownMs = 8_000;
const most = 3;
const NoticesContext = createContext<Notices>({ tell: () => undefined, fail: () => undefined });
let lastId = 0;

export const useNotices = (): Notices => useContext(NoticesContext);

/** Says below the page what became of what somebody did. What failed stays until it is closed. */
export function NoticesPlace({ children, dock }: { readonly children: ReactNode; readonly dock: ReactNode }): ReactNode {
  const [notices, setNotices] = useState<readonly Notice[]>([]);
  const add = useCallback((text: string, kind: Notice["kind"]) => {
    const id = ++lastId;
    setNotices((before) => [...before.slice(1 - most), { id, text, kind }]);
  }, []);
  const [told] = useState<Notices>({
    tell: (outcome) => (typeof outcome === "string" ? add(outcome, "done") : add(outcome.unchanged, "unchanged")),
    fail: (error) => add(messageOf(error), "failed"),
  });
  const close = useCallback((id: number) => setNotices((before) => before.filter((notice) => notice.id !== id)), []);
  return (
    <NoticesContext value={told}>
      {children}
      <div className={classes.place}>
        {dock}
        <div className={classes.notices} role="status" aria-live="polite">
          {notices.map((notice) => (
            <NoticeLine key={notice.id} notice={notice} onClose={close} />
          ))}
        </div>
      </div>
    </NoticesContext>
  );
}

function NoticeLine({ notice, onClose }: { readonly notice: Notice; readonly onClose: (id: number) => void }): ReactNode {
  const { id, text, kind } = notice;
  const isFailure = kind === "failed";
  useEffect(() => {
    if (isFailure) return undefined;
    const timer = setTimeout(() => onClose(id), shownMs);
    return () => clearTimeout(timer);
  }, [id, isFailure, onClose]);
  const { color, Icon } = looks[kind];
  return (
    <Notification
      withBorder
      data-kind={kind}
      color={color}
      icon={<Icon size={18} />}
      closeButtonProps={{ "aria-label": texts.close }}
      onClose={() => onClose(id)}
    >
      {text}
    </Notification>
  );
}
