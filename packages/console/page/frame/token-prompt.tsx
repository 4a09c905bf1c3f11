import { Button, Modal, PasswordInput, Text } from "@mantine/core";
import { useState, type FormEvent, type ReactNode } from "react";
import type { Me } from "../../src/api/me.ts";
import { Failure } from "../acts/failure.tsx";
import { ApiFailed, messageOf } from "../server/api-failed.ts";
import { grantAccess, useAccess } from "../server/access.ts";
import { queryClient } from "../server/query-client.ts";
import { get } from "../server/request.ts";
import { writeToken } from "../server/session.ts";
import { feed } from "../server/use-live.ts";
import { texts } from "../texts.ts";

/** Asks for a token when there is none, or when the one that there was has ended: over the page, which stays where it is. */
export function TokenPrompt(): ReactNode {
  const access = useAccess();
  return (
    <Modal
      opened={access !== "granted"}
      onClose={() => undefined}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      centered
      title={texts.token.titles[access === "ended" ? "ended" : "wanted"]}
      overlayProps={{ backgroundOpacity: 0.6, blur: access === "wanted" ? 6 : 0 }}
    >
      <TokenForm />
    </Modal>
  );
}

function TokenForm(): ReactNode {
  const [token, setToken] = useState("");
  const [failure, setFailure] = useState<string>();
  const [isUnderWay, setUnderWay] = useState(false);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const given = token.trim().replace(/^Bearer\s+/i, "");
    if (given === "") return;
    setUnderWay(true);
    writeToken(given);
    get<Me>("me")
      .then(
        (me) => {
          queryClient.setQueryData(["me"], me);
          grantAccess();
          feed.connect();
          void queryClient.invalidateQueries();
        },
        (error: unknown) => setFailure(error instanceof ApiFailed && error.status === 401 ? texts.token.refused : messageOf(error)),
      )
      .finally(() => setUnderWay(false));
  };
  return (
    <form onSubmit={submit}>
      <Text size="sm" c="dimmed" mb="md">
        {texts.token.text}
      </Text>
      <PasswordInput
        label={texts.token.label}
        data-autofocus
        autoComplete="off"
        value={token}
        onChange={(event) => setToken(event.currentTarget.value)}
        visibilityToggleButtonProps={{ "aria-label": texts.token.show }}
      />
      <Failure text={failure} />
      <Button type="submit" fullWidth mt="lg" loading={isUnderWay} disabled={token.trim() === ""}>
        {texts.token.button}
      </Button>
    </form>
  );
}
