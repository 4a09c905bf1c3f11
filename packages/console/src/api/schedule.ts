import { z } from "zod";
import { next, payload, time } from "./basics.ts";

export const scheduleRow = z.object({
  name: z.string(),
  cron: z.string().nullable(),
  /** Whose clock `cron` means. */
  timezone: z.string().nullable(),
  every: z.number().nullable(),
  payload,
  startAt: time.nullable(),
  endAt: time.nullable(),
  limit: z.number().nullable(),
  missed: z.string(),
  /** The next ticks, up to five, the earliest first. */
  ahead: z.array(time),
  lastAt: time.nullable(),
  ticks: z.number(),
  paused: z.boolean(),
});
export type ScheduleRow = z.infer<typeof scheduleRow>;

/** `GET queues/:queue/schedules` */
export const schedulesPage = z.object({ schedules: z.array(scheduleRow), next });
export type SchedulesPage = z.infer<typeof schedulesPage>;

/** `POST queues/:queue/schedules/:name/run`: a job at once, beside the schedule's own ticks. */
export const runAnswer = z.object({ id: z.string() });
/** `POST queues/:queue/schedules/:name/{pause,resume,remove}`: whether there was one. */
export const scheduleAnswer = z.object({ found: z.boolean() });
