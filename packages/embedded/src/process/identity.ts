import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The user that a server runs as. `ids` is empty when that is ourselves. */
export interface Identity {
  readonly ids: { readonly uid?: number; readonly gid?: number };
}

export const ourselves: Identity = { ids: {} };

/** PostgreSQL refuses to run as root: then `postgres`, or else `nobody`, runs it; otherwise we do. */
export function unprivilegedIdentity(): Identity {
  if (process.getuid?.() !== 0) return ourselves;
  const users = new Map<string, Identity>();
  for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
    const [name = "", , uid, gid] = line.split(":");
    users.set(name, { ids: { uid: Number(uid), gid: Number(gid) } });
  }
  return users.get("postgres") ?? users.get("nobody") ?? { ids: { uid: 65_534, gid: 65_534 } };
}

/** Whether that user may enter the folder or run the file: a folder on the way may be closed to it. */
export function canReach(path: string, identity: Identity): boolean {
  return passes("-x", path, identity);
}

export function canWriteTo(folder: string, identity: Identity): boolean {
  return passes("-w", folder, identity);
}

/** Asked of a shell that runs as that user. */
function passes(test: "-x" | "-w", path: string, identity: Identity): boolean {
  return spawnSync("/bin/sh", ["-c", 'test "$1" "$2"', "sh", test, path], { cwd: "/", ...identity.ids }).status === 0;
}
