import type { ReactNode } from "react";

export interface Question {
  readonly title: string;
  readonly text: ReactNode;
  /** On the button that does it. */
  readonly button: string;
  /** Has to be typed before that. */
  readonly typed?: string;
}
