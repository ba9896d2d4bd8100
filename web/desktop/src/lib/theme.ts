// Light, dark, or as the system has it.

export type Theme = "system" | "light" | "dark";
const STORED = "theme";

export function theme(): Theme {
  const stored = localStorage.getItem(STORED);
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function setTheme(to: Theme): void {
  localStorage.setItem(STORED, to);
  applyTheme();
}

export function applyTheme(): void {
  const chosen = theme();
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}
