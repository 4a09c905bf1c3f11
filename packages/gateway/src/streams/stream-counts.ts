/** What happens on the streams of a gateway, for its metrics. */
export class StreamCounts {
  followers = 0;
  /** Entries written, one for each follower. */
  deliveries = 0;
  /** Events that were appended through this gateway, without those that were known. */
  appended = 0;
}
