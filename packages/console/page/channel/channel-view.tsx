import type { ReactNode } from "react";
import type { ChannelView as View } from "../../src/api/channel.ts";
import { formatCount, formatRate } from "../format/numbers.ts";
import { Answered } from "../parts/answered.tsx";
import { Beside } from "../parts/beside.tsx";
import { Empty } from "../parts/empty.tsx";
import { Heading } from "../parts/heading.tsx";
import { Problems } from "../parts/problems.tsx";
import { SparkCard } from "../parts/spark-card.tsx";
import { Tag } from "../parts/tag.tsx";
import { Tile, Tiles } from "../parts/tile.tsx";
import { paths } from "../routes.ts";
import { useChannel } from "../server/queries.ts";
import { texts } from "../texts.ts";
import classes from "./channel-view.module.css";
import { HistoryCard } from "./history-card.tsx";
import { PresenceCard } from "./presence-card.tsx";
import { Publish } from "./publish.tsx";
import { TailCard } from "./tail-card.tsx";

const words = texts.channel;

/** Who listens, how much is said, who is here, and what is said at the moment. */
export function ChannelView({ channel }: { readonly channel: string }): ReactNode {
  const query = useChannel(channel);
  return (
    <>
      <Heading
        title={channel}
        isName
        crumbs={[{ text: texts.nav.overview, to: paths.overview }]}
        tags={<Tag>{texts.kinds.channel}</Tag>}
        acts={<Publish channel={channel} />}
      />
      <Answered query={query} unknown={<Empty title={words.unknown(channel)} />}>
        {(view) => <Known view={view} />}
      </Answered>
    </>
  );
}

function Known({ view }: { readonly view: View }): ReactNode {
  const { name, subscriptions, rates, presence, hasHistory, spark, problems } = view;
  const known = (value: number | null | undefined, format: (value: number) => string): string =>
    value === null || value === undefined ? "–" : format(value);
  return (
    <>
      <Problems problems={problems} />
      <div className={classes.tiles}>
        <Tiles label={words.figures}>
          {subscriptions !== null && (
            <Tile label={words.subscriptions} value={formatCount(subscriptions)} detail={words.processes(subscriptions)} />
          )}
          <Tile label={words.published} value={known(rates?.published, formatRate)} detail={texts.aMinute} />
          <Tile label={words.received} value={known(rates?.received, formatRate)} detail={texts.aMinute} />
          <Tile label={words.present} value={known(presence?.total, formatCount)} />
        </Tiles>
      </div>
      <Beside
        side={
          <>
            <SparkCard spark={spark} names={{ in: words.published, out: words.received }} />
            {presence && <PresenceCard presence={presence} />}
          </>
        }
      >
        <TailCard channel={name} />
      </Beside>
      {/* Of any length: what stood beside it would be out of sight, and on a phone below all of it. */}
      {hasHistory && (
        <div className={classes.history}>
          <HistoryCard channel={name} />
        </div>
      )}
    </>
  );
}
