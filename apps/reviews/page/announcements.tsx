import { VisuallyHidden } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { countOf } from "../../site/page/format.ts";
import type { MailroomView } from "./mailroom.ts";
import { sayWhat } from "./notification-text.ts";

/** Says to screen readers what the bell rings for. */
export function Announcements({ mail }: { readonly mail: MailroomView | undefined }): ReactNode {
  const [seen, setSeen] = useState(mail);
  const [said, setSaid] = useState("");
  if (mail !== seen) {
    setSeen(mail);
    const [newest] = mail?.heard ?? [];
    const rang = (mail?.rings ?? 0) - (seen?.rings ?? 0);
    if (newest && rang === 1) setSaid(`${newest.userId} ${sayWhat(newest)}`);
    else if (rang > 1) setSaid(countOf(rang, "new notification"));
  }
  return (
    <VisuallyHidden role="status" aria-live="polite">
      {said}
    </VisuallyHidden>
  );
}
