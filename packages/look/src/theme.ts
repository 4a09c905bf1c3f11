import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const cobalt: MantineColorsTuple = [
  "#eef4ff",
  "#dbe6fe",
  "#bfd3fe",
  "#93b4fd",
  "#6f9bfb",
  "#4f80f6",
  "#2b63eb",
  "#1d4ed8",
  "#1e40af",
  "#1e3a8a",
];

// A touch of the accent's hue, so that the dark scheme is not a grey one.
const dark: MantineColorsTuple = [
  "#d5d9e2",
  "#b4bac7",
  "#9aa1b1",
  "#6b7283",
  "#3a404d",
  "#2b303b",
  "#1f232c",
  "#161a21",
  "#10131a",
  "#0b0d12",
];

export const theme = createTheme({
  primaryColor: "cobalt",
  primaryShade: { light: 7, dark: 6 },
  colors: { cobalt, dark },
  defaultRadius: "md",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  headings: { fontWeight: "650" },
  respectReducedMotion: true,
  cursorType: "pointer",
});

/** The few colours of our own: everything else is Mantine's. */
export const resolveVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--kl-page": "#f6f7f9",
    "--kl-card": "#ffffff",
    "--kl-line": "#e1e5ec",
    "--kl-line-strong": "#b6bdca",
    "--kl-muted": "#566074",
    "--kl-accent": "#1d4ed8",
    "--kl-accent-soft": "#e8efff",
    "--kl-danger": "#b42318",
    "--kl-danger-soft": "#fdecea",
    "--mantine-color-dimmed": "#566074",
    "--mantine-color-body": "#ffffff",
  },
  dark: {
    "--kl-page": "#0b0d12",
    "--kl-card": "#12151c",
    "--kl-line": "#262b35",
    "--kl-line-strong": "#4a5160",
    "--kl-muted": "#9aa1b1",
    "--kl-accent": "#7fa6ff",
    "--kl-accent-soft": "#17233f",
    "--kl-danger": "#ff8b80",
    "--kl-danger-soft": "#3a1a18",
    "--mantine-color-dimmed": "#9aa1b1",
    "--mantine-color-body": "#12151c",
  },
});
