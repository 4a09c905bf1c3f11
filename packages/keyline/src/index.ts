import "./runtime/node-version.ts";
export { Keyline, type KeylineOptions } from "./keyline.ts";
export type { ChannelEntry, Directory, QueueEntry, StreamEntry } from "./directory/directory.ts";
export { KeylineError, ValidationError, type ErrorCode, type ValidationIssue } from "./runtime/errors.ts";
export type { Audit } from "./audit/audit.ts";
export type { AuditEnd, AuditEntry, AuditListOptions, NewAuditEntry } from "./audit/audit-entry.ts";
export type { Health } from "./health/health.ts";
export type { PostgresHealth } from "./health/postgres-health.ts";
export type { ValkeyHealth } from "./health/valkey-health.ts";
export type { HealthNote, HealthWarning, HealthWarningCode } from "./health/warning.ts";
export { Discard, Snooze } from "./work/outcome.ts";
export type { ChildrenOptions, ChildResult } from "./queue/families/familial.ts";
export { Parked } from "./queue/steps/parked.ts";
export type { HandlerContext, Settle } from "./queue/worker/job-settle.ts";
export type { SettleEffects, SettleStatement } from "./postgres/settle/settle-statement.ts";
export type { Step } from "./queue/steps/steps.ts";
export type { BatchHandlerContext, BatchSettle, BatchSettlement } from "./queue/worker/batch-settle.ts";
export type { FailedAttempt } from "./queue/worker/attempt-history.ts";
export type { DeadLetter } from "./queue/letters/dead-letter.ts";
export type { DeadLettersOptions, LetterActOptions, LetterFilter } from "./queue/letters/letter-filter.ts";
export type { LetterProgress } from "./work/letter-progress.ts";
export type { CausesOptions, DeadLetterCause, DeadLetterCauses } from "./queue/letters/letter-causes.ts";
export type { Job } from "./queue/job.ts";
export type { PauseOptions } from "./queue/gates/gatekeeper.ts";
export type { GroupsOptions, QueueGroupStatus } from "./queue/gates/group-query.ts";
export type { FamilyNode, FamilyViewOptions, JobFamily } from "./queue/families/family-view.ts";
export type { ChildCounts, JobPlace, JobStep, JobSurroundings } from "./queue/jobs/job-surroundings.ts";
export type { CancelResult } from "./queue/jobs/cancel-steps.ts";
export type { ListedJobs } from "./queue/jobs/job-list.ts";
export type { JobsOptions, ListedState } from "./queue/jobs/jobs-options.ts";
export type { JobState, QueuedJob } from "./queue/jobs/queued-job.ts";
export type { ChangeOptions, JobChanges, UpdateResult } from "./queue/jobs/update-options.ts";
export type { CancelOptions, JobFilter } from "./queue/jobs/job-filter.ts";
export type { LimitChanges, Limits, Rate } from "./queue/gates/limits.ts";
export type {
  AddOptions,
  AddResult,
  Deduplicate,
  Priority,
  DeadLetterRetention,
  QueueOptions,
  TransactionalAddOptions,
  WorkBatchOptions,
  WorkOptions,
  Child,
  FamilyOptions,
} from "./queue/options.ts";
export { JobCancelledError, JobDeadError } from "./queue/results/job-errors.ts";
export type { EventsOptions, QueueEvent, QueueEventGap } from "./queue/events/queue-event.ts";
export type { RatesOptions } from "./figures/figures.ts";
export type { Depth, Durations, QueueRates, RateCounts, RateSpan } from "./queue/rates/rate-summary.ts";
export type { WaitOptions } from "./queue/results/wait-options.ts";
export type { ScheduleOptions } from "./queue/schedules/schedule-spec.ts";
export type { Schedule, Tick } from "./queue/schedules/schedule-state.ts";
export type { Missed } from "./queue/schedules/schedule-times.ts";
export type { BatchHandler, SettlingBatchHandler } from "./queue/worker/batch-runner.ts";
export type { Handler, Queue, SettlingHandler } from "./queue/queue.ts";
export type { CountsOptions, KnownStatus, QueueStatus } from "./queue/queue-status.ts";
export type { QueueStores } from "./queue/queue-stores.ts";
export type { Worker, WorkerEvents } from "./queue/worker/worker.ts";
export type { RunningJob, WorkerInfo, WorkersOptions } from "./queue/worker/worker-info.ts";
export type { PostgresOptions, Transaction, TransactionClient } from "./postgres/client/options.ts";
export type { Backoff } from "./runtime/backoff.ts";
export type { Logger } from "./runtime/logger.ts";
export type { ValkeyNode, ValkeyOptions } from "./valkey/client/options.ts";
export type { Span, Spans } from "./figures/spans.ts";
export type { ChannelRates } from "./channel/channel-rates.ts";
export type { Channel } from "./channel/channel.ts";
export type { ChannelListeners } from "./channel/channel-listeners.ts";
export type { ChannelPattern } from "./channel/channel-pattern.ts";
export type { HistoryRead, HistoryReadOptions } from "./channel/history.ts";
export type { Gap, Message } from "./channel/message.ts";
export type {
  ChannelOptions,
  HistoryOptions,
  PatternSubscribeOptions,
  PublishOptions,
  PublishResult,
  SubscribeOptions,
  WhenFull,
} from "./channel/options.ts";
export type { EnterOptions, Presence } from "./channel/presence.ts";
export type { Member, PresenceChange, PresenceListener, PresenceWatch } from "./channel/presence-member.ts";
export type { MessageListener } from "./channel/hear.ts";
export type { Subscription } from "./channel/subscription.ts";
export type { Entry } from "./stream/entry.ts";
export type { Consumer, ConsumerEvents } from "./stream/group/consumer.ts";
export type { ConsumerInfo } from "./stream/group/consumer-info.ts";
export type { GroupDeadLetter } from "./stream/group/dead-letter.ts";
export type { GroupActOptions, GroupDiscardOptions, GroupLettersOptions, GroupRedriveOptions } from "./stream/group/group-letters.ts";
export type { EntryAttempt } from "./stream/group/entry-attempt.ts";
export type { Group, GroupStatus } from "./stream/group/group.ts";
export type { ResetPlace } from "./stream/group/group-reset.ts";
export type { ConsumeOptions } from "./stream/group/options.ts";
export type { ConsumeHandler, PlainConsumeHandler } from "./stream/group/entry-settle.ts";
export type { Place } from "./stream/entry-id.ts";
export type {
  AppendOptions,
  AppendResult,
  FollowOptions,
  HistoryOptions as KeyHistoryOptions,
  ReadOptions,
  Retention,
  StreamGap,
  StreamOptions,
  TransactionalAppendOptions,
} from "./stream/options.ts";
export type { Projection } from "./stream/projection.ts";
export type {
  ProjectOptions,
  ProjectionEvents,
  ProjectionHandler,
  ProjectionProgress,
  RebuildProgress,
} from "./stream/projection-options.ts";
export type { StreamRates } from "./stream/stream-rates.ts";
export type { StreamInfo } from "./stream/reading.ts";
export type { Stream } from "./stream/stream.ts";
