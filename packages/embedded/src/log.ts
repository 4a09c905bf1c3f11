/** Gets one line at a time: what is used, and what is about to be downloaded. */
export type Log = (line: string) => void;

export const silent: Log = () => undefined;
