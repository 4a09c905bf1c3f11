import type { ReactNode } from "react";
import { formatCount } from "../../site/page/format.ts";
import { Panel } from "../../site/page/panel.tsx";
import classes from "./readers-panel.module.css";
import type { Reader } from "./use-readers.ts";

const listed = 12;

/** Who has the page open. */
export function ReadersPanel({ readers }: { readonly readers: readonly Reader[] | undefined }): ReactNode {
  const all = readers ?? [];
  const more = all.length - listed;
  return (
    <Panel title="Here now" aside={<span className={classes.count}>{readers && formatCount(all.length)}</span>}>
      <ul className={classes.list} data-testid="readers">
        {all.slice(0, listed).map(({ id, name, isYou }) => (
          <li key={id} className={classes.reader}>
            <bdi className={classes.name}>{name}</bdi>
            {isYou && <span className={classes.you}>you</span>}
          </li>
        ))}
        {more > 0 && <li className={classes.more}>and {formatCount(more)} more</li>}
      </ul>
    </Panel>
  );
}
