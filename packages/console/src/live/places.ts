/** Up to where somebody was told of each topic, as the id of an event: what browsers send back when they come again. */
export function formatPlaces(places: ReadonlyMap<{ readonly name: string }, string>): string {
  return new URLSearchParams([...places].map(([{ name }, place]) => [name, place])).toString();
}

/** Of any text: one that is no such id has no topic that there is. */
export function parsePlaces(id: string): ReadonlyMap<string, string> {
  return new Map(new URLSearchParams(id));
}
