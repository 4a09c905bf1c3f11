import { Badge } from "@mantine/core";
import { IconCloud, IconCloudRain, IconSnowflake, IconSun } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Panel } from "../../site/page/panel.tsx";
import { weatherPattern } from "../channel-names.ts";
import type { Reading } from "../reading.ts";
import type { CityWeather } from "./use-weather.ts";
import classes from "./weather-panel.module.css";

const skies: Record<Reading["sky"], typeof IconSun> = { clear: IconSun, cloudy: IconCloud, rain: IconCloudRain, snow: IconSnowflake };
const degrees = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export function WeatherPanel({ weather }: { readonly weather: readonly CityWeather[] }): ReactNode {
  return (
    <Panel
      title="Weather"
      aside={
        <Badge variant="default" radius="sm" className={classes.badge ?? ""}>
          Simulated
        </Badge>
      }
      explanation={
        <>
          Each city has a channel; the pattern <code className={classes.code}>{weatherPattern}</code> hears all of them.
        </>
      }
    >
      <ul className={classes.list} data-testid="weather">
        {weather.map((city) => (
          <CityRow key={city.channel} {...city} />
        ))}
        {weather.length === 0 && <li className={classes.empty}>No reading yet.</li>}
      </ul>
    </Panel>
  );
}

function CityRow({ city, channel, temperature, wind, sky, change }: CityWeather): ReactNode {
  const Sky = skies[sky];
  return (
    <li className={classes.city} data-channel={channel}>
      <Sky size={22} stroke={1.6} className={classes.sky} role="img" aria-label={sky} />
      <span className={classes.where}>
        {city}
        <span className={classes.channel}>{channel}</span>
      </span>
      <span key={`${temperature} ${wind}`} className={classes.values} data-changed={change !== 0}>
        <span className={classes.temperature}>{degrees.format(temperature)} °C</span>
        <span className={classes.wind}>
          {degrees.format(wind)} <abbr title="metres per second">m/s</abbr>
        </span>
      </span>
    </li>
  );
}
