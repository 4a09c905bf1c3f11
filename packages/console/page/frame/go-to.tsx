import { Modal, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useId, useState, type KeyboardEvent, type ReactNode } from "react";
import { useLocation } from "wouter";
import { useOverview } from "../server/queries.ts";
import { texts } from "../texts.ts";
import classes from "./go-to.module.css";
import { placesFor, type Place } from "./places.ts";

/** To anything by its name: a queue, a channel, a stream, a view, or a job by its id. */
export function GoTo({ isOpen, onClose }: { readonly isOpen: boolean; readonly onClose: () => void }): ReactNode {
  return (
    <Modal opened={isOpen} onClose={onClose} title={texts.goTo.title} closeButtonProps={{ "aria-label": texts.close }} yOffset="10vh">
      <Chooser onClose={onClose} />
    </Modal>
  );
}

function Chooser({ onClose }: { readonly onClose: () => void }): ReactNode {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [location, navigate] = useLocation();
  const { data } = useOverview();
  const listId = useId();
  const places = placesFor(text.trim(), data?.items ?? [], location);
  const chosen = Math.min(at, places.length - 1);
  const go = (place: Place | undefined): void => {
    if (!place) return;
    onClose();
    navigate(place.to);
  };
  const press = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setAt(Math.min(places.length - 1, chosen + 1));
    else if (event.key === "ArrowUp") setAt(Math.max(0, chosen - 1));
    else if (event.key === "Enter") go(places[chosen]);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <TextInput
        data-autofocus
        aria-label={texts.goTo.field}
        placeholder={texts.goTo.field}
        leftSection={<IconSearch size={16} stroke={1.75} />}
        role="combobox"
        aria-expanded={places.length > 0}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-activedescendant={places[chosen] ? `${listId}-${chosen}` : undefined}
        autoComplete="off"
        spellCheck={false}
        value={text}
        onKeyDown={press}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
      />
      <div id={listId} role="listbox" aria-label={texts.goTo.title} className={classes.places}>
        {places.map((place, index) => (
          <div
            key={place.key}
            id={`${listId}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            className={classes.place}
            onClick={() => go(place)}
            onKeyDown={press}
          >
            <span className={classes.name}>{place.name}</span>
            <span className={classes.what}>{place.what}</span>
          </div>
        ))}
      </div>
      {places.length === 0 && <p className={classes.none}>{texts.goTo.none}</p>}
    </>
  );
}
