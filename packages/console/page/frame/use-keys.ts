import { useEffect, useEffectEvent } from "react";
import { paths } from "../routes.ts";

interface KeyActs {
  readonly goTo: () => void;
  readonly help: () => void;
  readonly navigate: (path: string) => void;
}

/** Behind a `g`. */
const places: Readonly<Record<string, string>> = { o: paths.overview, t: paths.tasks, h: paths.health, a: paths.audit() };
const pairMs = 1_500;

/**
 * `/` looks for something, `j` and `k` go through the list, Enter opens its row, `x` selects it, `g` and a letter goes to a view, `?` says all
 * this. No single key changes anything on the server, and none is taken where somebody writes or while a dialog is open.
 */
export function useKeys({ goTo, help, navigate }: KeyActs): void {
  const press = useEffectEvent((key: string): boolean => {
    if (key === "/") {
      const field = document.querySelector<HTMLElement>("[data-find]");
      if (field) field.focus();
      else goTo();
    } else if (key === "?") help();
    else if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (key === "x") rowOf(document.activeElement)?.querySelector<HTMLElement>("input[type=checkbox]")?.click();
    else if (key === "Enter") return open();
    else return false;
    return true;
  });
  const go = useEffectEvent((key: string): boolean => {
    const place = places[key];
    if (place !== undefined) navigate(place);
    return place !== undefined;
  });
  useEffect(() => {
    let pairUntil = 0;
    const hear = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isBusy(event.target)) return;
      const isSecond = event.timeStamp < pairUntil;
      pairUntil = event.key === "g" && !isSecond ? event.timeStamp + pairMs : 0;
      if (isSecond ? go(event.key) : press(event.key)) event.preventDefault();
    };
    document.addEventListener("keydown", hear);
    return () => document.removeEventListener("keydown", hear);
  }, []);
}

function isBusy(target: EventTarget | null): boolean {
  if (document.querySelector("[role=dialog]")) return true;
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== "checkbox";
  return target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

function rowOf(element: Element | null): HTMLElement | undefined {
  return element?.closest<HTMLElement>("[data-row]") ?? undefined;
}

/** To the next row of the page's lists, from the one where the focus is. */
function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const current = rowOf(document.activeElement);
  const first = by > 0 ? 0 : rows.length - 1;
  const at = current ? rows.indexOf(current) + by : first;
  const row = rows[Math.max(0, Math.min(rows.length - 1, at))];
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

function open(): boolean {
  const row = document.activeElement;
  if (!(row instanceof HTMLElement) || row.dataset["row"] === undefined) return false;
  row.querySelector<HTMLElement>("a, [data-open]")?.click();
  return true;
}
