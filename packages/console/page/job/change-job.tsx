import { NumberInput, Select, SimpleGrid } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { JobView, UpdateBody } from "../../src/api/job.ts";
import { OperatorButton } from "../acts/act-button.tsx";
import { FormDialog } from "../acts/form-dialog.tsx";
import { unchanged, type Outcome } from "../acts/outcome.ts";
import { JsonField, parseJson } from "../acts/json-field.tsx";
import { priorities } from "../queue/priorities.ts";
import { queryClient } from "../server/query-client.ts";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";

const words = texts.job;
/** What the server shows in place of a hidden field; it puts back what was there where that is sent again. */
const hidden = "[hidden]";
/** A field for text takes no more without freezing. */
const mostEditedBytes = 100 * 1_024;

export function ChangeJob({ job }: { readonly job: JobView }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <OperatorButton label={words.change} onClick={() => setOpen(true)} />
      {isOpen && <ChangeForm job={job} onClose={() => setOpen(false)} />}
    </>
  );
}

function ChangeForm({ job, onClose }: { readonly job: JobView; readonly onClose: () => void }): ReactNode {
  const { queue, id, payload, priority: before } = job;
  const isEditable = payload !== null && payload.isWhole && payload.bytes <= mostEditedBytes;
  const [original] = useState(() => (isEditable ? JSON.stringify(payload.data, null, 2) : ""));
  const [text, setText] = useState(original);
  const [delay, setDelay] = useState<string | number>("");
  const [priority, setPriority] = useState<string | null>(before);
  const isTextChanged = isEditable && text !== original;
  const isChanged = isTextChanged || delay !== "" || priority !== before;
  const change = async (): Promise<Outcome> => {
    const body: UpdateBody = {
      ...(isTextChanged && { data: parseJson(text).value }),
      ...(delay !== "" && { delay: Number(delay) * 1_000 }),
      ...(priority !== before && { priority: priority as UpdateBody["priority"] }),
    };
    const { updated } = await post<{ updated: boolean }>(`queues/${queue}/jobs/${id}/update`, body);
    await queryClient.invalidateQueries({ queryKey: ["live", `job:${queue}/${id}`] });
    return updated ? words.changed : unchanged(words.tooLate);
  };
  const isReady = isChanged && (!isTextChanged || parseJson(text).isValid);
  return (
    <FormDialog isOpen onClose={onClose} title={words.changeTitle(id)} button={words.save} isReady={isReady} run={change}>
      {isEditable ? <JsonField label={words.payload} text={text} onChange={setText} /> : <p>{words.tooLargeToEdit}</p>}
      {isEditable && text.includes(hidden) && <p style={{ margin: 0 }}>{words.hiddenStay(hidden)}</p>}
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <NumberInput label={words.runIn} min={0} value={delay} onChange={setDelay} />
        <Select label={words.priority} data={priorities} value={priority} onChange={setPriority} allowDeselect={false} />
      </SimpleGrid>
    </FormDialog>
  );
}
