import { channelRoutes } from "./channel/channel-routes.ts";
import type { Desk } from "./desk.ts";
import type { Route } from "./http/router.ts";
import { operationRoutes } from "./operations/operation-routes.ts";
import { bulkRoutes } from "./queue/bulk-routes.ts";
import { jobActRoutes } from "./queue/job-act-routes.ts";
import { jobRoutes } from "./queue/job-routes.ts";
import { letterRoutes } from "./queue/letter-routes.ts";
import { queueActRoutes } from "./queue/queue-act-routes.ts";
import { queueRoutes } from "./queue/queue-routes.ts";
import { scheduleRoutes } from "./queue/schedule-routes.ts";
import { groupRoutes } from "./stream/group-routes.ts";
import { streamRoutes } from "./stream/stream-routes.ts";

/** Everything below `api/`. */
export function allRoutes(desk: Desk): Route[] {
  return [
    ...operationRoutes(desk),
    ...queueRoutes(desk),
    ...queueActRoutes(desk),
    ...jobRoutes(desk),
    ...jobActRoutes(desk),
    ...letterRoutes(desk),
    ...bulkRoutes(desk),
    ...scheduleRoutes(desk),
    ...streamRoutes(desk),
    ...groupRoutes(desk),
    ...channelRoutes(desk),
  ];
}
