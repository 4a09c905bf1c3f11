import type { Channel, Keyline, Subscription } from "keyline";
import { allWeather, weatherPattern } from "../channel-names.ts";
import { HeardReading, Reading } from "../reading.ts";

const kept = { size: 60, ttl: 600_000 };

/**
 * Hears all weather channels by one pattern, also those that are added later or that other programs publish on, and passes on what it hears:
 * pages subscribe to channels by name, as a pattern could reach what is not meant for them.
 */
export class WeatherDesk {
  readonly channel: Channel<HeardReading>;
  readonly #keyline: Keyline;
  #subscription: Subscription | undefined;

  constructor(keyline: Keyline) {
    this.#keyline = keyline;
    this.channel = keyline.channel(allWeather, { schema: HeardReading, history: kept });
  }

  /** Resolves when no reading can be missed any more. */
  async start(): Promise<void> {
    this.#subscription = this.#keyline.channels(weatherPattern).subscribe(async ({ channel, data }) => {
      const reading = Reading.safeParse(data);
      if (!reading.success) return;
      // Without Valkey there is nobody to tell, and another reading comes.
      await this.channel.publish({ ...reading.data, channel }).catch(() => undefined);
    });
    await this.#subscription.ready;
  }

  async stop(): Promise<void> {
    await this.#subscription?.close();
  }
}
