/** This machine does not have a contender, and cannot get it: the case runs without. */
export class PeerMissing extends Error {}
