/** What the page lets one enter and the server accepts. */
export const longestDetails = 1_000;
export const largestBurst = 10_000;
export const mostWorkers = 8;
