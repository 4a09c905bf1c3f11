/** A clock that all processes of a machine share: that of the operating system since it started, in milliseconds. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
