import type { ReactNode } from "react";
import { useLocation } from "wouter";
import type { JobView } from "../../src/api/job.ts";
import { ActButton } from "../acts/act-button.tsx";
import { unchanged, type Outcome } from "../acts/outcome.ts";
import { paths } from "../routes.ts";
import { queryClient } from "../server/query-client.ts";
import { post } from "../server/request.ts";
import { texts } from "../texts.ts";
import { ChangeJob } from "./change-job.tsx";
import { SignalJob } from "./signal-job.tsx";

const words = texts.job;

/** What can be done with it where it is now. */
export function JobActs({ job }: { readonly job: JobView }): ReactNode {
  const { queue, id, can } = job;
  const [, navigate] = useLocation();
  const act = async <Answer,>(what: string): Promise<Answer> => {
    const answer = await post<Answer>(`queues/${queue}/jobs/${id}/${what}`);
    await queryClient.invalidateQueries({ queryKey: ["live", `job:${queue}/${id}`] });
    return answer;
  };
  return (
    <>
      {can.promote && (
        <ActButton
          variant="filled"
          label={words.promote}
          run={async () => ((await act<{ promoted: boolean }>("promote")).promoted ? words.promoted : unchanged(words.tooLate))}
        />
      )}
      {can.redrive && (
        <ActButton
          variant="filled"
          label={words.redrive}
          question={{ title: words.redriveTitle, text: words.redriveText, button: words.redrive }}
          run={async () => ((await act<{ count: number }>("redrive")).count > 0 ? words.redriven : unchanged(words.tooLate))}
        />
      )}
      {can.update && <ChangeJob job={job} />}
      {can.signal && <SignalJob queue={queue} id={id} />}
      {can.cancel && (
        <ActButton
          isDangerous
          variant="light"
          label={words.cancel}
          question={{ title: words.cancelTitle(id), text: words.cancelText, button: words.cancel }}
          run={async () => cancelled((await act<{ was: keyof typeof words.cancelledWas }>("cancel")).was)}
        />
      )}
      {can.discard && (
        <ActButton
          isDangerous
          variant="light"
          label={words.discard}
          question={{ title: words.discardTitle(id), text: words.discardText, button: words.discard }}
          run={async () => {
            const { count } = await post<{ count: number }>(`queues/${queue}/jobs/${id}/discard`);
            // Nothing is left here to be looked at.
            navigate(paths.letters(queue));
            return count > 0 ? words.discarded : unchanged(words.tooLate);
          }}
        />
      )}
    </>
  );
}

function cancelled(was: keyof typeof words.cancelledWas): Outcome {
  const text = words.cancelledWas[was];
  return was === "dead" || was === "unknown" ? unchanged(text) : text;
}
