/** What the page lets one enter and the server accepts. */
export const longestAuthor = 50;
export const longestContent = 1_000;
export const longestChannelName = 50;
/** Each channel that is followed is a subscription of the page's one connection. */
export const mostFollowed = 30;
