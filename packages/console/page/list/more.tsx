import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { formatCount } from "../format/numbers.ts";
import { texts } from "../texts.ts";
import classes from "./more.module.css";

interface MoreProps {
  readonly shown: number;
  readonly query: { readonly hasNextPage: boolean; readonly isFetchingNextPage: boolean; fetchNextPage(): Promise<unknown> };
}

/** Below a list: how many rows there are, and the next page. */
export function More({ shown, query }: MoreProps): ReactNode {
  return (
    <div className={classes.more}>
      <span>{query.hasNextPage ? texts.list.firstShown(formatCount(shown)) : texts.list.allShown(formatCount(shown))}</span>
      {query.hasNextPage && (
        <Button variant="default" size="xs" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          {texts.list.more}
        </Button>
      )}
    </div>
  );
}
