import { longestChannelName } from "./limits.ts";

const ownPattern = new RegExp(`^[A-Za-z0-9_-]{1,${longestChannelName}}$`);

/** Whether users may give a channel this name. It has neither `:` nor `.`, so that none of theirs is one of those below. */
export function isFeedName(name: string): boolean {
  return ownPattern.test(name);
}

/** Says that a channel was made. */
export const newsOfChannels = "feed:channels";
/** Carries nothing: its presence says who has the page open. */
export const readersRoom = "feed:readers";
/** What was heard on all channels of the pattern. */
export const allWeather = "weather:all";
export const weatherPattern = "weather.*";

export function weatherChannelOf(city: string): string {
  return `weather.${city.toLowerCase().replaceAll(" ", "_")}`;
}
