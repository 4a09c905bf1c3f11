import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiFailed } from "./api-failed.ts";
import { grantAccess } from "./access.ts";

const again = 3_000;

/** What failed for want of an answer is asked again until there is one; what the server refused is shown as it is. */
export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onSuccess: (_data, { queryKey }) => queryKey[0] === "me" && grantAccess() }),
  mutationCache: new MutationCache(),
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      networkMode: "always",
      retry: (_count, error) => isPassing(error),
      retryDelay: (count) => Math.min(again, 300 * 2 ** count),
    },
    mutations: { networkMode: "always" },
  },
});

/** No answer, or one that says that a store or the server is away. */
export function isPassing(error: unknown): boolean {
  return error instanceof ApiFailed && (error.status === 0 || error.status >= 502);
}
