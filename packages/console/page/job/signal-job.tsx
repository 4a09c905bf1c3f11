import { TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { SignalBody } from "../../src/api/job.ts";
import { OperatorButton } from "../acts/act-button.tsx";
import { FormDialog } from "../acts/form-dialog.tsx";
import { unchanged, type Outcome } from "../acts/outcome.ts";
import { JsonField, parseJson } from "../acts/json-field.tsx";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";

const words = texts.job;

interface SignalJobProps {
  readonly queue: string;
  readonly id: string;
}

/** Sends a job what one of its steps waits for. */
export function SignalJob(props: SignalJobProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <OperatorButton label={words.signal} onClick={() => setOpen(true)} />
      {isOpen && <SignalForm {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

function SignalForm({ queue, id, onClose }: SignalJobProps & { readonly onClose: () => void }): ReactNode {
  const [name, setName] = useState("");
  const [text, setText] = useState("null");
  const { isValid, value } = parseJson(text);
  const signal = async (): Promise<Outcome> => {
    const body: SignalBody = { name, data: value };
    const { sent } = await post<{ sent: boolean }>(`queues/${queue}/jobs/${id}/signal`, body);
    return sent ? words.signalled : unchanged(words.tooLate);
  };
  return (
    <FormDialog isOpen onClose={onClose} title={words.signalTitle(id)} button={words.signal} isReady={isValid && name !== ""} run={signal}>
      <TextInput data-autofocus label={words.signalName} value={name} onChange={(event) => setName(event.currentTarget.value)} />
      <JsonField label={words.signalData} text={text} onChange={setText} />
    </FormDialog>
  );
}
