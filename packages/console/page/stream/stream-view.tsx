import type { ReactNode } from "react";
import type { StreamView as View } from "../../src/api/stream.ts";
import { formatCount, formatRate } from "../format/numbers.ts";
import { Answered } from "../parts/answered.tsx";
import { Empty } from "../parts/empty.tsx";
import { Heading } from "../parts/heading.tsx";
import { LossesCard } from "../parts/losses-card.tsx";
import { Problems } from "../parts/problems.tsx";
import { SparkCard } from "../parts/spark-card.tsx";
import { Tag } from "../parts/tag.tsx";
import { Tile, Tiles } from "../parts/tile.tsx";
import { paths } from "../routes.ts";
import { useStream } from "../server/queries.ts";
import { texts } from "../texts.ts";
import { Append } from "./append.tsx";
import { EntriesCard } from "./entries-card.tsx";
import { GroupsCard } from "./groups-card.tsx";
import classes from "./stream-view.module.css";

const words = texts.stream;

/** How long it is, who reads it and how far they are, and what stands in it at any time. */
export function StreamView({ stream }: { readonly stream: string }): ReactNode {
  const query = useStream(stream);
  return (
    <>
      <Heading
        title={stream}
        isName
        crumbs={[{ text: texts.nav.overview, to: paths.overview }]}
        tags={
          <>
            <Tag>{texts.kinds.stream}</Tag>
            {query.data?.transactional === true && <Tag>{texts.transactional}</Tag>}
          </>
        }
        acts={<Append stream={stream} />}
      />
      <Answered query={query} unknown={<Empty title={words.unknown(stream)} />}>
        {(view) => <Known view={view} />}
      </Answered>
    </>
  );
}

function Known({ view }: { readonly view: View }): ReactNode {
  const { name, length, lastId, rates, groups, losses, spark, problems, hasKeys } = view;
  return (
    <>
      <Problems problems={problems} />
      <div className={classes.top}>
        <div className={classes.tiles}>
          <Tiles label={words.figures}>
            <Tile label={words.length} value={length === null ? "–" : formatCount(length)} />
            <Tile label={words.appended} value={rates === null ? "–" : formatRate(rates.appended)} detail={texts.aMinute} />
            <Tile label={words.consumed} value={rates === null ? "–" : formatRate(rates.consumed)} detail={texts.aMinute} />
            <Tile
              label={words.failed}
              value={rates === null ? "–" : formatRate(rates.failed)}
              detail={texts.aMinute}
              tone={(rates?.failed ?? 0) > 0 ? "danger" : "plain"}
            />
          </Tiles>
          {lastId !== null && (
            <p className={classes.last}>
              {words.lastEntry} <span className="mono">{lastId}</span>
            </p>
          )}
          {groups !== null && groups.length > 0 && <LossesCard of="stream" losses={losses} />}
        </div>
        <SparkCard spark={spark} names={{ in: words.appended, out: words.consumed, failed: words.failed }} />
      </div>
      <GroupsCard stream={name} groups={groups} />
      <EntriesCard stream={name} hasKeys={hasKeys} />
    </>
  );
}
