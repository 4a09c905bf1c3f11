// The first import of the package: whatever comes after it may use what older versions lack. It must itself run on all of them.
import { KeylineError } from "./errors.ts";

const oldest = [22, 12] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
  throw new KeylineError(
    "NODE_TOO_OLD",
    `keyline needs Node ${oldest.join(".")} or newer, and this is Node ${process.versions.node}: install a newer one`,
  );
}
