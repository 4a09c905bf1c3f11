// Before anything is painted: a page that turns dark only when its program runs would flash white.
{
  const chosen = localStorage.getItem("mantine-color-scheme-value");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const isDark = chosen === "dark" || (chosen !== "light" && prefersDark);
  document.documentElement.setAttribute("data-mantine-color-scheme", isDark ? "dark" : "light");
}
