/** What the page lets one enter and the server accepts. */
export const longestUserId = 50;
export const longestContent = 1_000;
