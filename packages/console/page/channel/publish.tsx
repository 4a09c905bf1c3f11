import { IconSend } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";
import { OperatorButton } from "../acts/act-button.tsx";
import { FormDialog } from "../acts/form-dialog.tsx";
import { JsonField, parseJson } from "../acts/json-field.tsx";
import { formatCount } from "../format/numbers.ts";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";

const words = texts.channel;

export function Publish({ channel }: { readonly channel: string }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <OperatorButton label={words.publish} leftSection={<IconSend size={16} />} onClick={() => setOpen(true)} />
      {isOpen && <PublishForm channel={channel} onClose={() => setOpen(false)} />}
    </>
  );
}

function PublishForm({ channel, onClose }: { readonly channel: string; readonly onClose: () => void }): ReactNode {
  const [text, setText] = useState("{}");
  const { isValid, value } = parseJson(text);
  const publish = async (): Promise<string> => {
    const { receivers } = await post<{ receivers: number | null }>(`channels/${channel}/publish`, { data: value });
    return receivers === null ? words.publishedSome : words.publishedTo(formatCount(receivers));
  };
  return (
    <FormDialog isOpen onClose={onClose} title={words.publishTitle(channel)} button={words.publish} isReady={isValid} run={publish}>
      <JsonField label={words.message} text={text} onChange={setText} />
    </FormDialog>
  );
}
