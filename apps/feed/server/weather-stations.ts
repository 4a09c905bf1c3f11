import { setTimeout as wait } from "node:timers/promises";
import type { Channel, Keyline } from "keyline";
import { weatherChannelOf } from "../channel-names.ts";
import { Reading } from "../reading.ts";

const cities: readonly (Reading & { readonly usual: number })[] = [
  { city: "Berlin", usual: 12, temperature: 12, wind: 4, sky: "cloudy" },
  { city: "Lima", usual: 19, temperature: 19, wind: 3, sky: "cloudy" },
  { city: "Mumbai", usual: 30, temperature: 30, wind: 5, sky: "clear" },
  { city: "Nairobi", usual: 22, temperature: 22, wind: 4, sky: "clear" },
  { city: "Oslo", usual: 1, temperature: 1, wind: 6, sky: "snow" },
  { city: "Tokyo", usual: 16, temperature: 16, wind: 7, sky: "rain" },
];

/** Simulated weather stations: one after another publishes a reading on the channel of its city. */
export class WeatherStations {
  readonly #everyMs: number;
  readonly #stations: { readonly channel: Channel<Reading>; readonly usual: number; reading: Reading }[];
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(keyline: Keyline, { everyMs }: { readonly everyMs: number }) {
    this.#everyMs = everyMs;
    this.#stations = cities.map(({ usual, ...reading }) => ({
      channel: keyline.channel(weatherChannelOf(reading.city), { schema: Reading }),
      usual,
      reading,
    }));
  }

  start(): void {
    this.#loop ??= this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(signal: AbortSignal): Promise<void> {
    // All of them once, so that nobody waits for the first readings.
    await Promise.all(this.#stations.map((_station, turn) => this.#publish(turn)));
    for (let turn = 0; !signal.aborted; turn++) {
      await wait(this.#everyMs, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.#publish(turn % this.#stations.length);
    }
  }

  async #publish(turn: number): Promise<void> {
    const station = this.#stations[turn];
    if (!station) return;
    station.reading = nextReading(station.reading, station.usual);
    // While Valkey is away there is no weather: the next reading is as good as this one.
    await station.channel.publish(station.reading).catch(() => undefined);
  }
}

/** A walk that is drawn back to what is usual. */
function nextReading({ city, temperature, wind, sky }: Reading, usual: number): Reading {
  const step = Math.random() - 0.5 + 0.1 * (usual - temperature);
  return {
    city,
    temperature: round(temperature + step),
    wind: Math.max(0, round(wind + 2 * (Math.random() - 0.5))),
    sky: Math.random() < 0.15 ? nextSky(temperature) : sky,
  };
}

function nextSky(temperature: number): Reading["sky"] {
  const choices = ["clear", "cloudy", temperature < 2 ? "snow" : "rain"] as const;
  return choices[Math.floor(Math.random() * choices.length)] ?? "clear";
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}
