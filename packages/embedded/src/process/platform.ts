import { EmbeddedError } from "../errors.ts";

/** Throws UNSUPPORTED_PLATFORM where the signals, descriptors and shell that guards are made of do not exist. */
export function checkPlatform(platform: NodeJS.Platform = process.platform): void {
  if (platform !== "win32") return;
  throw new EmbeddedError(
    "UNSUPPORTED_PLATFORM",
    "Embedded servers run on Linux and macOS. On Windows use WSL, or set VALKEY_URL and DATABASE_URL to servers of your own.",
  );
}
