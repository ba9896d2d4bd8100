import { createRoot } from "react-dom/client";
import { App } from "./app";
import { preferredLocale, loadLocale } from "./lib/i18n";
import "./style.css";

const root = document.getElementById("root");
if (root) {
  void loadLocale(preferredLocale())
    .catch(() => {})
    .then(() => createRoot(root).render(<App />));
}
