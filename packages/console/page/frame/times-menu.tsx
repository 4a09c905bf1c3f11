import { ActionIcon, Menu } from "@mantine/core";
import { IconClock, IconKeyboard, IconLogout } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { chooseTimes, ownZone, useTimeChoice, type TimeChoice } from "../format/time-choice.ts";
import { useMe } from "../server/queries.ts";
import { useToken, writeToken } from "../server/session.ts";
import { texts } from "../texts.ts";

const choices: readonly TimeChoice[] = ["relative", "local", "utc"];

/** How times are shown, who one is, and the keys. */
export function TimesMenu({ onHelp }: { readonly onHelp: () => void }): ReactNode {
  const chosen = useTimeChoice();
  const token = useToken();
  const { data: me } = useMe();
  return (
    <Menu position="bottom-end" width={270}>
      <Menu.Target>
        <ActionIcon variant="default" size={36} aria-label={texts.time.menu}>
          <IconClock size={18} stroke={1.75} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{texts.time.label}</Menu.Label>
        <Menu.RadioGroup value={chosen} onChange={(choice) => chooseTimes(choice as TimeChoice)}>
          {choices.map((choice) => (
            <Menu.RadioItem key={choice} value={choice} closeMenuOnClick>
              {texts.time.choices[choice](ownZone)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.Item leftSection={<IconKeyboard size={16} />} onClick={onHelp}>
          {texts.help.title}
        </Menu.Item>
        {me && <Menu.Label>{texts.signedInAs(me.who, texts.roles[me.role])}</Menu.Label>}
        {token !== undefined && (
          <Menu.Item leftSection={<IconLogout size={16} />} onClick={forgetToken}>
            {texts.token.forget}
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

/** What was shown with it goes too. */
function forgetToken(): void {
  writeToken(undefined);
  location.reload();
}
