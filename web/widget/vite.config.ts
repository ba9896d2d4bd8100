import { defineConfig } from "vitest/config";

// One file, one script tag: https://your.crosspoint/widget.js
export default defineConfig({
  build: {
    outDir: "../dist/widget",
    emptyOutDir: true,
    target: "es2022",
    lib: { entry: "src/main.ts", formats: ["iife"], name: "CrosspointWidget", fileName: () => "widget.js" },
    reportCompressedSize: false,
  },
  test: { include: ["tests/**/*.test.ts"] },
});
