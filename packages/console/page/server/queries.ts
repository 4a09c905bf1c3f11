import {
  keepPreviousData,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
  type InfiniteData,
  type UseInfiniteQueryResult,
  type UseQueryResult,
} from "@tanstack/react-query";
import type { ChannelView } from "../../src/api/channel.ts";
import type { Health } from "../../src/api/health.ts";
import type { JobView } from "../../src/api/job.ts";
import type { Me } from "../../src/api/me.ts";
import type { Overview } from "../../src/api/overview.ts";
import type { QueueView } from "../../src/api/queue.ts";
import type { StreamView } from "../../src/api/stream.ts";
import type { TasksView } from "../../src/api/task.ts";
import { get, type Query } from "./request.ts";
import { useFeedState, useTopic } from "./use-live.ts";

/** As long as the feed is away the page asks by itself. */
const pollMs = 4_000;

/** What a route answers, kept up to date by the topic that tells of it. */
function useLiveQuery<Data>(topic: string, path: string): UseQueryResult<Data> {
  const client = useQueryClient();
  const feed = useFeedState();
  useTopic(topic, {
    onChange: ({ data }) => client.setQueryData(["live", topic], data),
    onUnknown: () => void client.invalidateQueries({ queryKey: ["live", topic] }),
  });
  return useQuery({
    queryKey: ["live", topic],
    queryFn: ({ signal }) => get<Data>(path, {}, signal),
    refetchInterval: feed === "lost" ? pollMs : false,
  });
}

export function useMe(): UseQueryResult<Me> {
  return useQuery({ queryKey: ["me"], queryFn: ({ signal }) => get<Me>("me", {}, signal), staleTime: 60_000 });
}

export const useOverview = (): UseQueryResult<Overview> => useLiveQuery("overview", "overview");
export const useHealth = (): UseQueryResult<Health> => useLiveQuery("health", "health");
export const useTasks = (): UseQueryResult<TasksView> => useLiveQuery("tasks", "tasks");
export const useQueue = (queue: string): UseQueryResult<QueueView> => useLiveQuery(`queue:${queue}`, `queues/${queue}`);
export const useChannel = (channel: string): UseQueryResult<ChannelView> => useLiveQuery(`channel:${channel}`, `channels/${channel}`);
export const useStream = (stream: string): UseQueryResult<StreamView> => useLiveQuery(`stream:${stream}`, `streams/${stream}`);
export const useJob = (queue: string, id: string): UseQueryResult<JobView | null> =>
  useLiveQuery(`job:${queue}/${id}`, `queues/${queue}/jobs/${id}`);

interface Page {
  readonly next: string | null;
}

/**
 * A list in pages. It is read again page by page from its beginning when it changed, and what it shows stays meanwhile: rows keep their
 * place and their selection by their ids.
 */
export function usePages<Answer extends Page>(path: string, query: Query = {}): UseInfiniteQueryResult<InfiniteData<Answer>> {
  return useInfiniteQuery({
    queryKey: ["pages", path, query],
    queryFn: ({ pageParam, signal }) => get<Answer>(path, { ...query, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    placeholderData: keepPreviousData,
  });
}

export function useAnswer<Answer>(
  path: string,
  query: Query = {},
  options: { readonly refetchInterval?: number; readonly enabled?: boolean } = {},
): UseQueryResult<Answer> {
  return useQuery({
    queryKey: ["pages", path, query],
    queryFn: ({ signal }) => get<Answer>(path, query, signal),
    placeholderData: keepPreviousData,
    ...options,
  });
}
