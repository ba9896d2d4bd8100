import react from "@vitejs/plugin-react";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

// `npm run dev` serves the page with hot reload and takes the API from a running Crosspoint.
const server = process.env.CP_SERVER ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  server: { proxy: { "/v1": { target: server, ws: true }, "/openapi.json": server } },
  build: {
    outDir: "../dist/desktop",
    emptyOutDir: true,
    target: "es2022",
    // Everything is a file of its own: the content security policy takes no inline script or style.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
