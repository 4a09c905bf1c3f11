import { useEffect, useState } from "react";

const everyMs = 20_000;
const date = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const exact = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

/** The time, as often as it matters for what was a while ago. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** "now", "5 min", "3 h", "24 Nov" */
export function formatAgo(at: string, now: number): string {
  const minutes = (now - Date.parse(at)) / 60_000;
  if (minutes < 1) return "now";
  if (minutes < 60) return `${Math.floor(minutes)} min`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h`;
  return date.format(new Date(at));
}

/** "Nov 24, 2026, 2:05:13 PM" */
export function formatExactly(at: string): string {
  return exact.format(new Date(at));
}
