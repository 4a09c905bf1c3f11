import { Button, Skeleton } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ApiFailed, messageOf } from "../server/api-failed.ts";
import { isPassing } from "../server/query-client.ts";
import { texts } from "../texts.ts";
import classes from "./answered.module.css";

interface AnsweredProps<Data> {
  readonly query: Pick<UseQueryResult<Data>, "data" | "error" | "failureReason" | "refetch" | "isFetching">;
  /** In place of what there is not: the answer was 404. */
  readonly unknown?: ReactNode;
  readonly children: (data: NonNullable<Data>) => ReactNode;
}

/** What was answered; until then its place, or why it was not. What was answered before stays, whatever becomes of later requests. */
export function Answered<Data>({ query, unknown, children }: AnsweredProps<Data>): ReactNode {
  const { data, error, failureReason, refetch, isFetching } = query;
  if (error instanceof ApiFailed && error.status === 404 && unknown !== undefined) return unknown;
  if (data === null && unknown !== undefined) return unknown;
  if (data !== undefined && data !== null) return children(data);
  const failure = error ?? failureReason;
  if (!failure || (failure instanceof ApiFailed && failure.status === 401)) return <Waiting />;
  return (
    <div className={classes.failed} role="alert">
      <IconAlertTriangle size={20} stroke={1.75} aria-hidden="true" />
      <div>
        <p className={classes.title}>{messageOf(failure)}</p>
        {isPassing(failure) ? (
          <p className={classes.text}>{texts.failed.again}</p>
        ) : (
          <Button size="xs" variant="default" loading={isFetching} onClick={() => void refetch()}>
            {texts.failed.tryAgain}
          </Button>
        )}
      </div>
    </div>
  );
}

function Waiting(): ReactNode {
  return (
    <div className={classes.waiting} role="status" aria-label={texts.loading}>
      <Skeleton height={18} width="30%" />
      <Skeleton height={44} />
      <Skeleton height={44} />
      <Skeleton height={44} />
    </div>
  );
}
