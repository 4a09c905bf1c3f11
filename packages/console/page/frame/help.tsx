import { Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { texts } from "../texts.ts";
import classes from "./help.module.css";

export function Help({ isOpen, onClose }: { readonly isOpen: boolean; readonly onClose: () => void }): ReactNode {
  return (
    <Modal opened={isOpen} onClose={onClose} title={texts.help.title} closeButtonProps={{ "aria-label": texts.close }} centered>
      <dl className={classes.keys}>
        {texts.help.keys.map(({ keys, what }) => (
          <div key={what} className={classes.line}>
            <dt className={classes.key}>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd className={classes.what}>{what}</dd>
          </div>
        ))}
      </dl>
      <p className={classes.note}>{texts.help.note}</p>
    </Modal>
  );
}
