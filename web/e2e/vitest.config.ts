import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts", "webrtc/**/*.test.ts"],
    testTimeout: 90_000,
    hookTimeout: 60_000,
    // Two cores, and each file has a server, a browser and phones: one after the other.
    fileParallelism: false,
    maxWorkers: 1,
  },
});
