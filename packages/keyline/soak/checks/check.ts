import { checkCalm } from "./calm.ts";
import type { Evidence, Violation } from "./evidence.ts";
import { checkMails } from "./mails.ts";
import { checkNews } from "./news.ts";
import { checkOrders } from "./orders.ts";
import { checkOutings } from "./outings.ts";
import { checkEvents, checkReadings } from "./streams.ts";
import { checkTours } from "./tours.ts";
import { checkTrips } from "./trips.ts";

/** Everything that a run's history and the stores' last state contradict. */
export function check(evidence: Evidence): Violation[] {
  return [
    ...checkCalm(evidence),
    ...checkOrders(evidence),
    ...checkTours(evidence),
    ...checkTrips(evidence),
    ...checkMails(evidence),
    ...checkOutings(evidence),
    ...checkNews(evidence),
    ...checkEvents(evidence),
    ...checkReadings(evidence),
    ...(evidence.final.residue.length > 0 ? [{ rule: "I5", what: "something is left", examples: evidence.final.residue }] : []),
  ];
}
