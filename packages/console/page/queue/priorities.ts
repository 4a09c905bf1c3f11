import { texts } from "../texts.ts";

export const priorities = [
  { value: "high", label: texts.priorities.high },
  { value: "normal", label: texts.priorities.normal },
  { value: "low", label: texts.priorities.low },
];
