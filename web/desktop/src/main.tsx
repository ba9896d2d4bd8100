import { createRoot } from "react-dom/client";
import { App } from "./app";
import { applyTheme } from "./lib/theme";
import { preferredLocale, loadLocale } from "./lib/i18n";
import "./style.css";

applyTheme();

const root = document.getElementById("root");
if (root) {
  void loadLocale(preferredLocale())
    .catch(() => {})
    .then(() => createRoot(root).render(<App />));
}
