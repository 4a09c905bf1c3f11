import { ActionIcon, Button, TextInput, Tooltip } from "@mantine/core";
import { IconArrowRight, IconRefresh } from "@tabler/icons-react";
import { useRef, useState, type FormEvent, type ReactNode } from "react";
import { longestDetails } from "../limits.ts";
import { products } from "../products.ts";
import type { Snapshot } from "../snapshot.ts";
import { placeOrder } from "./api.ts";
import { useAction } from "../../site/page/failures.tsx";
import { OrderWay } from "./order-way.tsx";
import { Panel } from "../../site/page/panel.tsx";
import classes from "./place-order.module.css";
import { useOrderState } from "./use-order-state.ts";

export function PlaceOrder({ snapshot }: { readonly snapshot: Snapshot | undefined }): ReactNode {
  const [suggestion, setSuggestion] = useState(0);
  const [details, setDetails] = useState<string>(products[0]);
  const [problem, setProblem] = useState<string>();
  const [placedId, setPlacedId] = useState<number>();
  const input = useRef<HTMLInputElement>(null);
  const action = useAction();

  const suggest = (): void => {
    const next = (suggestion + 1) % products.length;
    setSuggestion(next);
    setDetails(products[next] ?? "");
    setProblem(undefined);
  };

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (action.isUnderWay) return;
    if (details.trim() === "") {
      setProblem("Say what is ordered.");
      input.current?.focus();
      return;
    }
    action.run(async () => {
      setPlacedId(await placeOrder(details));
      suggest();
      // What is typed next replaces the suggestion.
      requestAnimationFrame(() => document.activeElement === input.current && input.current?.select());
    });
  };

  return (
    <Panel title="Place an order">
      <form onSubmit={submit} noValidate className={classes.form}>
        <TextInput
          ref={input}
          label="What is ordered"
          size="md"
          classNames={{ label: classes.label ?? "" }}
          value={details}
          error={problem}
          maxLength={longestDetails}
          autoComplete="off"
          enterKeyHint="send"
          onChange={(event) => {
            setDetails(event.currentTarget.value);
            setProblem(undefined);
          }}
          onFocus={(event) => event.currentTarget.select()}
          rightSection={
            <Tooltip label="Suggest something else" openDelay={400}>
              <ActionIcon variant="subtle" color="gray" size={34} aria-label="Suggest something else" onClick={suggest}>
                <IconRefresh size={18} stroke={1.75} />
              </ActionIcon>
            </Tooltip>
          }
        />
        <Button type="submit" size="md" fullWidth rightSection={<IconArrowRight size={18} />} aria-disabled={action.isUnderWay}>
          Place order
        </Button>
      </form>
      <p className={classes.placed} role="status">
        {placedId === undefined ? (
          "A row and a job, in one PostgreSQL transaction."
        ) : (
          <PlacedOrder key={placedId} orderId={placedId} snapshot={snapshot} />
        )}
      </p>
    </Panel>
  );
}

function PlacedOrder({ orderId, snapshot }: { readonly orderId: number; readonly snapshot: Snapshot | undefined }): ReactNode {
  const state = useOrderState(orderId, snapshot);
  return (
    <>
      <span className={classes.number}>Order {orderId}</span>
      <OrderWay state={state} />
    </>
  );
}
