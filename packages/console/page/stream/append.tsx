import { IconPlus } from "@tabler/icons-react";
import { useState, type ReactNode } from "react";
import { OperatorButton } from "../acts/act-button.tsx";
import { FormDialog } from "../acts/form-dialog.tsx";
import { JsonField, parseJson } from "../acts/json-field.tsx";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";

const words = texts.stream;

export function Append({ stream }: { readonly stream: string }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <OperatorButton label={words.append} leftSection={<IconPlus size={16} />} onClick={() => setOpen(true)} />
      {isOpen && <AppendForm stream={stream} onClose={() => setOpen(false)} />}
    </>
  );
}

function AppendForm({ stream, onClose }: { readonly stream: string; readonly onClose: () => void }): ReactNode {
  const [text, setText] = useState("{}");
  const { isValid, value } = parseJson(text);
  const append = async (): Promise<string> => {
    const { id } = await post<{ id: string }>(`streams/${stream}/append`, { data: value });
    return words.appendedAs(id);
  };
  return (
    <FormDialog isOpen onClose={onClose} title={words.appendTitle(stream)} button={words.append} isReady={isValid} run={append}>
      <JsonField label={words.payload} text={text} onChange={setText} />
    </FormDialog>
  );
}
