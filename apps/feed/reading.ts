import { z } from "zod";

/** What a weather station says, simulated. */
export const Reading = z.object({
  city: z.string(),
  /** Degrees Celsius. */
  temperature: z.number(),
  /** Metres per second. */
  wind: z.number(),
  sky: z.enum(["clear", "cloudy", "rain", "snow"]),
});
export type Reading = z.infer<typeof Reading>;

/** A reading, and the channel on which it was heard. */
export const HeardReading = Reading.extend({ channel: z.string() });
export type HeardReading = z.infer<typeof HeardReading>;
