import { ActionIcon, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { IconMoon, IconSun } from "@tabler/icons-react";
import type { ReactNode } from "react";

interface ToggleProps {
  /** What pressing it does, by the colours that it leads to. */
  readonly labels: Readonly<Record<"light" | "dark", string>>;
}

/** Follows the system until it is pressed; the choice is kept in the browser. */
export function ColorSchemeToggle({ labels }: ToggleProps): ReactNode {
  const { setColorScheme } = useMantineColorScheme();
  const shown = useComputedColorScheme("light", { getInitialValueInEffect: false });
  const other = shown === "light" ? "dark" : "light";
  const Icon = other === "dark" ? IconMoon : IconSun;
  return (
    <Tooltip label={labels[other]} openDelay={400}>
      <ActionIcon variant="default" size={36} aria-label={labels[other]} onClick={() => setColorScheme(other)}>
        <Icon size={18} stroke={1.75} />
      </ActionIcon>
    </Tooltip>
  );
}
