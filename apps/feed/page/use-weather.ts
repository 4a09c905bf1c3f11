import type { Live } from "@keyline/client";
import { useEffect, useState } from "react";
import { allWeather } from "../channel-names.ts";
import type { HeardReading } from "../reading.ts";

export interface CityWeather extends HeardReading {
  /** Against the reading before: degrees. */
  readonly change: number;
}

/** The last reading of each channel, by name. */
export function useWeather(live: Live): readonly CityWeather[] {
  const [weather, setWeather] = useState<ReadonlyMap<string, CityWeather>>(new Map());
  useEffect(() => {
    const subscription = live.subscribe<HeardReading>(
      allWeather,
      ({ data }) => {
        setWeather((before) => {
          const last = before.get(data.channel)?.temperature ?? data.temperature;
          return new Map(before).set(data.channel, { ...data, change: data.temperature - last });
        });
      },
      { since: "earliest" },
    );
    return () => void subscription.close();
  }, [live]);
  return [...weather.values()].sort((a, b) => a.city.localeCompare(b.city));
}
