import { PageFrame } from "@keyline/look";
import type { ReactNode } from "react";

interface FrameProps {
  /** The application that this page belongs to: one of the navigation's, or `Start`. */
  readonly current: string;
  /** Beside the toggle, such as whether the page is connected. */
  readonly status: ReactNode;
  readonly children: ReactNode;
}

const applications = [
  { text: "Shop", to: "/shop" },
  { text: "Feed", to: "/feed" },
  { text: "Reviews", to: "/reviews" },
] as const;

const words = {
  skip: "Skip to the content",
  places: "Applications",
  colors: { light: "Use the light colours", dark: "Use the dark colours" },
};

/** What all pages have around them, with the way to the other applications. */
export function Frame({ current, status, children }: FrameProps): ReactNode {
  const home = { text: "Keyline", to: "/", isCurrent: current === "Start" };
  const places = applications.map((place) => ({ ...place, isCurrent: place.text === current }));
  return (
    <PageFrame home={home} places={places} words={words} givesWay="name" tools={status}>
      {children}
    </PageFrame>
  );
}
