import type { ReactNode } from "react";
import type { JobView as View } from "../../src/api/job.ts";
import { JsonView } from "../json/json-view.tsx";
import { Card } from "../list/card.tsx";
import { Answered } from "../parts/answered.tsx";
import { Beside } from "../parts/beside.tsx";
import { Empty } from "../parts/empty.tsx";
import { Heading } from "../parts/heading.tsx";
import { StateTag } from "../parts/state-tag.tsx";
import { paths } from "../routes.ts";
import { useJob } from "../server/queries.ts";
import { texts } from "../texts.ts";
import { AttemptsCard } from "./attempts-card.tsx";
import { FactsCard } from "./facts-card.tsx";
import { FamilyCard } from "./family-card.tsx";
import { JobActs } from "./job-acts.tsx";
import { ProgressCard } from "./progress-card.tsx";
import { StepsCard } from "./steps-card.tsx";
import { TimelineCard } from "./timeline-card.tsx";

interface JobViewProps {
  readonly queue: string;
  readonly id: string;
}

/** Everything that is known of one job. */
export function JobView({ queue, id }: JobViewProps): ReactNode {
  const query = useJob(queue, id);
  const job = query.data;
  return (
    <>
      <Heading
        title={id}
        isName
        crumbs={[
          { text: texts.nav.overview, to: paths.overview },
          { text: queue, to: paths.queue(queue) },
          { text: texts.queue.jobs, to: paths.jobs(queue) },
        ]}
        tags={job && <StateTag state={job.state} />}
        acts={job && <JobActs job={job} />}
      />
      <Answered query={query} unknown={<Empty title={texts.job.unknown}>{texts.job.unknownText}</Empty>}>
        {(found) => <Known job={found} />}
      </Answered>
    </>
  );
}

function Known({ job }: { readonly job: View }): ReactNode {
  const { payload, steps, children, parent } = job;
  return (
    <Beside
      side={
        <>
          <ProgressCard progress={job.progress} />
          <FactsCard job={job} />
          <TimelineCard entries={job.timeline} />
        </>
      }
    >
      <Card title={texts.job.payload}>
        {payload === null ? (
          <Empty title={texts.job.noPayload} />
        ) : (
          <JsonView label={texts.job.payload} value={payload.isWhole ? payload.data : payload.preview} bytes={payload.bytes} />
        )}
      </Card>
      {(job.history.length > 0 || job.error !== null || job.stack !== null) && <AttemptsCard job={job} />}
      {steps.length > 0 && <StepsCard steps={steps} />}
      {(children !== null || parent !== null) && <FamilyCard job={job} />}
    </Beside>
  );
}
