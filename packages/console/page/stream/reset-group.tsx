import { Radio, Stack, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { ResetBody } from "../../src/api/stream.ts";
import { OperatorButton } from "../acts/act-button.tsx";
import { FormDialog } from "../acts/form-dialog.tsx";
import { timeOfField } from "../format/local-time-field.ts";
import { queryClient } from "../server/query-client.ts";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";

const words = texts.stream;

interface ResetGroupProps {
  readonly stream: string;
  readonly group: string;
}

/** Sends a group back or forth: what it has done is done again, or what it has not done is left out. */
export function ResetGroup(props: ResetGroupProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <OperatorButton label={words.reset} color="red" variant="light" onClick={() => setOpen(true)} />
      {isOpen && <ResetForm {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

function ResetForm({ stream, group, onClose }: ResetGroupProps & { readonly onClose: () => void }): ReactNode {
  const [place, setPlace] = useState("start");
  const [id, setId] = useState("");
  const [time, setTime] = useState("");
  const [typed, setTyped] = useState("");
  const to = place === "id" ? (/^\d{1,20}-\d{1,20}$/.test(id) ? id : undefined) : place === "time" ? timeOfField(time) : place;
  const reset = async (): Promise<string> => {
    if (to === undefined) return words.resetDone(group);
    const body: ResetBody = { confirm: typed, to };
    await post(`streams/${stream}/groups/${group}/reset`, body);
    await queryClient.invalidateQueries({ queryKey: ["pages", `streams/${stream}/groups/${group}`] });
    return words.resetDone(group);
  };
  return (
    <FormDialog
      isOpen
      onClose={onClose}
      title={words.resetTitle(group)}
      button={words.reset}
      isReady={to !== undefined && typed === group}
      isDangerous
      run={reset}
    >
      <Radio.Group label={words.resetTo} value={place} onChange={setPlace}>
        <Stack gap="xs" mt="xs">
          <Radio value="start" label={words.resetStart} />
          <Radio value="end" label={words.resetEnd} />
          <Radio value="time" label={words.resetTime} />
          <Radio value="id" label={words.resetId} />
        </Stack>
      </Radio.Group>
      {place === "id" && (
        <TextInput label={words.id} value={id} spellCheck={false} onChange={(event) => setId(event.currentTarget.value)} />
      )}
      {place === "time" && (
        <TextInput
          type="datetime-local"
          step={1}
          label={words.fromTime}
          value={time}
          onChange={(event) => setTime(event.currentTarget.value)}
        />
      )}
      <p style={{ margin: 0 }}>{place === "end" ? words.resetSkips : words.resetRepeats}</p>
      <TextInput
        autoComplete="off"
        spellCheck={false}
        label={texts.acts.typeToConfirm(group)}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
    </FormDialog>
  );
}
