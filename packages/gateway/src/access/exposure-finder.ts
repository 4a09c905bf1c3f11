import { checkName } from "./names.ts";

const reservedPrefix = "keyline:";

/** All exposures, or a function that finds one by its name. */
export type Exposures<Exposure> = readonly Exposure[] | ((name: string) => Exposure | undefined | Promise<Exposure | undefined>);

interface ExposureKind<Exposure> {
  readonly kind: "channel" | "stream";
  nameOf(exposure: Exposure): string;
}

/** Finds the channels, or the streams, that the gateway was told of. There are no others. */
export class ExposureFinder<Exposure> {
  readonly #kind: "channel" | "stream";
  readonly #find: (name: string) => Exposure | undefined | Promise<Exposure | undefined>;

  constructor(exposures: Exposures<Exposure>, { kind, nameOf }: ExposureKind<Exposure>) {
    this.#kind = kind;
    if (typeof exposures === "function") {
      this.#find = exposures;
      return;
    }
    const byName = new Map(exposures.map((exposure) => [nameOf(exposure), exposure]));
    this.#find = (name) => byName.get(name);
  }

  /** Undefined for a name that nobody declared. Throws a 400 problem for what can be no name. */
  async find(name: string): Promise<Exposure | undefined> {
    checkName(this.#kind, name);
    // The gateway's own are nobody else's, whatever the application's function finds and a token's pattern covers.
    return name.startsWith(reservedPrefix) ? undefined : await this.#find(name);
  }
}
