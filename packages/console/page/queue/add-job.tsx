import { NumberInput, Select, SimpleGrid, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { AddBody } from "../../src/api/queue.ts";
import { OperatorButton } from "../acts/act-button.tsx";
import { FormDialog } from "../acts/form-dialog.tsx";
import { JsonField, parseJson } from "../acts/json-field.tsx";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";
import { priorities } from "./priorities.ts";

/** Adds a job by hand. */
export function AddJob({ queue, icon }: { readonly queue: string; readonly icon: ReactNode }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <OperatorButton label={texts.queue.add} leftSection={icon} onClick={() => setOpen(true)} />
      {isOpen && <AddForm queue={queue} onClose={() => setOpen(false)} />}
    </>
  );
}

function AddForm({ queue, onClose }: { readonly queue: string; readonly onClose: () => void }): ReactNode {
  const [text, setText] = useState("{}");
  const [delay, setDelay] = useState<string | number>("");
  const [priority, setPriority] = useState<string | null>("normal");
  const [group, setGroup] = useState("");
  const { isValid, value } = parseJson(text);
  const add = async (): Promise<string> => {
    const body: AddBody = {
      data: value,
      ...(delay !== "" && { delay: Number(delay) * 1_000 }),
      ...(priority !== "normal" && { priority: priority as AddBody["priority"] }),
      ...(group !== "" && { group }),
    };
    const { id } = await post<{ id: string }>(`queues/${queue}/add`, body);
    return texts.queue.added(id);
  };
  return (
    <FormDialog isOpen onClose={onClose} title={texts.queue.addTitle(queue)} button={texts.queue.add} isReady={isValid} run={add}>
      <JsonField label={texts.job.payload} text={text} onChange={setText} />
      <SimpleGrid cols={{ base: 1, xs: 3 }}>
        <NumberInput label={texts.job.delaySeconds} min={0} value={delay} onChange={setDelay} />
        <Select label={texts.job.priority} data={priorities} value={priority} onChange={setPriority} allowDeselect={false} />
        <TextInput label={texts.job.group} value={group} onChange={(event) => setGroup(event.currentTarget.value)} />
      </SimpleGrid>
    </FormDialog>
  );
}
