import { NumberInput, SimpleGrid, Text } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { Limits, LimitsBody } from "../../src/api/queue.ts";
import { OperatorButton } from "../acts/act-button.tsx";
import { FormDialog } from "../acts/form-dialog.tsx";
import { queryClient } from "../server/query-client.ts";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";
import classes from "./edit-limits.module.css";

const words = texts.limits;

interface EditLimitsProps {
  readonly queue: string;
  readonly limits: Limits;
}

export function EditLimits(props: EditLimitsProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <OperatorButton size="xs" label={words.edit} onClick={() => setOpen(true)} />
      {isOpen && <LimitsForm {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

type Field = number | string;

function LimitsForm({ queue, limits, onClose }: EditLimitsProps & { readonly onClose: () => void }): ReactNode {
  const [concurrency, setConcurrency] = useState<Field>(limits.concurrency ?? "");
  const [max, setMax] = useState<Field>(limits.rate?.max ?? "");
  const [per, setPer] = useState<Field>(secondsOf(limits.rate));
  const [groupConcurrency, setGroupConcurrency] = useState<Field>(limits.group.concurrency ?? "");
  const [groupMax, setGroupMax] = useState<Field>(limits.group.rate?.max ?? "");
  const [groupPer, setGroupPer] = useState<Field>(secondsOf(limits.group.rate));
  const isReady = isWhole(max, per) && isWhole(groupMax, groupPer);
  const save = async (): Promise<string> => {
    const body: LimitsBody = {
      concurrency: numberOf(concurrency),
      rate: rateOf(max, per),
      group: { concurrency: numberOf(groupConcurrency), rate: rateOf(groupMax, groupPer) },
    };
    await post(`queues/${queue}/limits`, body);
    await queryClient.invalidateQueries({ queryKey: ["pages", `queues/${queue}/limits`] });
    return words.saved;
  };
  return (
    <FormDialog isOpen onClose={onClose} title={words.editTitle(queue)} button={words.save} isReady={isReady} run={save}>
      <Text size="sm" c="dimmed">
        {words.emptyIsNone}
      </Text>
      <NumberInput data-autofocus label={words.concurrency} min={1} allowDecimal={false} value={concurrency} onChange={setConcurrency} />
      <SimpleGrid cols={2} className={classes.pair}>
        <NumberInput label={words.rateMax} min={1} allowDecimal={false} value={max} onChange={setMax} />
        <NumberInput label={words.ratePer} min={0.001} value={per} onChange={setPer} />
      </SimpleGrid>
      <NumberInput label={words.groupConcurrency} min={1} allowDecimal={false} value={groupConcurrency} onChange={setGroupConcurrency} />
      <SimpleGrid cols={2} className={classes.pair}>
        <NumberInput label={words.groupRateMax} min={1} allowDecimal={false} value={groupMax} onChange={setGroupMax} />
        <NumberInput label={words.groupRatePer} min={0.001} value={groupPer} onChange={setGroupPer} />
      </SimpleGrid>
    </FormDialog>
  );
}

function secondsOf(rate: Limits["rate"]): Field {
  return rate === null ? "" : rate.per / 1_000;
}

function numberOf(field: Field): number | null {
  return field === "" ? null : Number(field);
}

function rateOf(max: Field, per: Field): { max: number; per: number } | null {
  return max === "" ? null : { max: Number(max), per: Math.round(Number(per) * 1_000) };
}

/** A rate has both figures or none. */
function isWhole(max: Field, per: Field): boolean {
  return (max === "") === (per === "");
}
