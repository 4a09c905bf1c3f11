import { IconHeart, IconMoodSmile, IconSparkles, IconThumbUp, IconToolsKitchen2 } from "@tabler/icons-react";
import { kindOf, type ReactionKind } from "../reaction-kinds.ts";

type Icon = typeof IconThumbUp;

const icons: Record<ReactionKind, Icon> = {
  "Thumbs up": IconThumbUp,
  "Love it": IconHeart,
  "Looks delicious": IconToolsKitchen2,
  "Made me laugh": IconMoodSmile,
};

export function iconOf(reaction: string): Icon {
  const kind = kindOf(reaction);
  return kind === "other" ? IconSparkles : icons[kind];
}
