import { findOnPath } from "../process/command.ts";

/** What a package is called where. */
interface PackageNames {
  readonly brew: string;
  readonly apt: string;
  /** Fedora, openSUSE, Arch and Alpine. */
  readonly elsewhere: string;
}

/** The command by which a person installs a package on this machine. */
export function commandToRun(names: PackageNames): string {
  if (process.platform === "darwin") return `brew install ${names.brew}`;
  const commands = [
    ["apt-get", `sudo apt-get install ${names.apt}`],
    ["dnf", `sudo dnf install ${names.elsewhere}`],
    ["zypper", `sudo zypper install ${names.elsewhere}`],
    ["pacman", `sudo pacman -S ${names.elsewhere}`],
    ["apk", `sudo apk add ${names.elsewhere}`],
  ] as const;
  const known = commands.find(([program]) => findOnPath(program) !== undefined);
  return known?.[1] ?? `install ${names.elsewhere} with the package manager of this system`;
}
