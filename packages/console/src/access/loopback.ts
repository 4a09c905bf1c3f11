/** True for an address, or a name, by which only this machine can be reached. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, "").replace(/^::ffff:/i, "");
  return plain.toLowerCase() === "localhost" || plain === "::1" || /^127(?:\.\d{1,3}){3}$/.test(plain);
}

/** The name in a Host header, without its port. */
export function nameInHost(host: string): string {
  return host.replace(/:\d+$/, "");
}
