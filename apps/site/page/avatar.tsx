import { Avatar as Circle } from "@mantine/core";
import type { ReactNode } from "react";

const letters = new Intl.Segmenter();
const colors = ["cobalt", "teal", "grape", "orange", "pink", "cyan"];

/** Stands beside a name, which says it all: so it says nothing. */
export function Avatar({ name, size = 38 }: { readonly name: string; readonly size?: number }): ReactNode {
  return (
    <Circle name={name} color="initials" allowedInitialsColors={colors} size={size} aria-hidden="true">
      {initialsOf(name)}
    </Circle>
  );
}

/** Of "Ada Lovelace" AL; of "guest-4821" 21, as all guests begin alike; of "user_1" U1. */
function initialsOf(name: string): string {
  const words = name.split(/[\s._-]+/u).filter((word) => word !== "");
  const last = words.at(-1) ?? "";
  if (/^\d{2,}$/.test(last)) return last.slice(-2);
  const initials = words.length > 1 ? firstLetters(words[0], 1) + firstLetters(last, 1) : firstLetters(last, 2);
  return initials.toUpperCase();
}

function firstLetters(word: string | undefined, count: number): string {
  return Array.from(letters.segment(word ?? ""), ({ segment }) => segment)
    .slice(0, count)
    .join("");
}
