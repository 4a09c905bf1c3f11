import { Notification } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { RequestFailed } from "./request.ts";
import classes from "./failures.module.css";

type Report = (error: unknown) => void;

const FailureContext = createContext<Report>(() => undefined);
const shownMs = 10_000;

/** Shows the last request that failed, over the page, until it is closed or some time has passed. */
export function Failures({ children }: { readonly children: ReactNode }): ReactNode {
  const [failure, setFailure] = useState<RequestFailed>();
  const report = useCallback<Report>((error) => {
    if (!(error instanceof RequestFailed)) throw error;
    setFailure(error);
  }, []);
  useEffect(() => {
    if (!failure) return undefined;
    const timer = setTimeout(() => setFailure(undefined), shownMs);
    return () => clearTimeout(timer);
  }, [failure]);
  return (
    <FailureContext value={report}>
      {children}
      <div className={classes.place}>
        {failure && (
          <Notification
            color="red"
            withBorder
            icon={<IconAlertTriangle size={18} />}
            title={failure.message}
            closeButtonProps={{ "aria-label": "Close" }}
            onClose={() => setFailure(undefined)}
          >
            {failure.detail}
          </Notification>
        )}
      </div>
    </FailureContext>
  );
}

interface Action {
  readonly isUnderWay: boolean;
  /** Runs it; what fails is shown. */
  run(work: () => Promise<void>): void;
}

/** For what a button does: one at a time, and with its failure shown. */
export function useAction(): Action {
  const report = useContext(FailureContext);
  const [isUnderWay, setUnderWay] = useState(false);
  const run = useCallback(
    (work: () => Promise<void>) => {
      setUnderWay(true);
      void work()
        .catch(report)
        .finally(() => setUnderWay(false));
    },
    [report],
  );
  return useMemo(() => ({ isUnderWay, run }), [isUnderWay, run]);
}
