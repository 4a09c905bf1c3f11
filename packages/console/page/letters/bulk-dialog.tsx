import { Button, Group, Loader, Modal, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import type { BulkBody } from "../../src/api/letter.ts";
import { Failure } from "../acts/failure.tsx";
import { formatCount } from "../format/numbers.ts";
import { messageOf } from "../server/api-failed.ts";
import { queryClient } from "../server/query-client.ts";
import { post } from "../server/request.ts";
import { serverNow } from "../server/server-clock.ts";
import { texts } from "../texts.ts";

export interface Bulk {
  readonly act: "redrive" | "discard";
  readonly ids?: readonly string[];
  readonly filter?: NonNullable<BulkBody["filter"]>;
  readonly before?: number;
  /** All of a consumer group, of which no filter is known. */
  readonly all?: true;
}

interface BulkDialogProps {
  /** Of the letters: `queues/mails/letters`, or of a group: `streams/readings/groups/alerts`. */
  readonly path: string;
  readonly bulk: Bulk;
  readonly onClose: () => void;
  readonly onBegun: () => void;
}

const words = texts.letters;

/**
 * How many are meant is asked first, and said in the question. What dies between the question and the answer is not meant. The work goes on in
 * the server: the dock at the page's end shows how far it is.
 */
export function BulkDialog({ path, bulk, onClose, onBegun }: BulkDialogProps): ReactNode {
  const [before] = useState(() => bulk.before ?? serverNow());
  const { act } = bulk;
  const body = bulk.all ? { all: true } : { ...(bulk.ids ? { ids: bulk.ids } : { filter: bulk.filter ?? {} }), before };
  const rehearsal = useQuery({
    queryKey: ["dry run", path, act, body],
    queryFn: () => post<{ count: number }>(`${path}/${act}`, { ...body, dryRun: true }),
    staleTime: Infinity,
    gcTime: 0,
  });
  const begin = useMutation({
    mutationFn: () => post<{ task: string }>(`${path}/${act}`, body),
    onSuccess: () => {
      onBegun();
      onClose();
      void queryClient.invalidateQueries({ queryKey: ["live", "tasks"] });
    },
  });
  const count = rehearsal.data?.count;
  const failure = begin.error ?? rehearsal.error;
  return (
    <Modal opened onClose={onClose} title={words.bulkTitles[act]} centered closeButtonProps={{ "aria-label": texts.close }}>
      <Text component="div" size="sm" lh={1.55} role="status">
        {count === undefined ? (
          !failure && (
            <Group gap="sm">
              <Loader size="xs" />
              {words.counting}
            </Group>
          )
        ) : (
          <>
            <strong>{words.meant(formatCount(count), count === 1)}</strong> {describe(bulk)}{" "}
            {count > 0 && (bulk.all ? words.groupTexts : words.bulkTexts)[act]}
          </>
        )}
      </Text>
      <Failure text={failure ? messageOf(failure) : undefined} />
      <Group justify="flex-end" mt="lg" gap="sm">
        <Button variant="default" onClick={onClose} data-autofocus>
          {texts.acts.keep}
        </Button>
        <Button
          {...(act === "discard" && { color: "red" })}
          disabled={count === undefined || count === 0}
          loading={begin.isPending}
          onClick={() => begin.mutate()}
        >
          {words.bulkButtons[act](count === undefined ? "" : formatCount(count))}
        </Button>
      </Group>
    </Modal>
  );
}

function describe({ ids, filter = {}, all }: Bulk): string {
  if (all) return words.allOfGroup;
  if (ids) return words.amongSelected;
  const parts = [
    filter.cause !== undefined && words.withCause(filter.cause),
    filter.error !== undefined && words.withError(filter.error),
    filter.group !== undefined && words.inGroup(filter.group),
    filter.after !== undefined && words.diedLately,
  ].filter((part) => part !== false);
  return parts.length === 0 ? words.allOfThem : parts.join(", ");
}
