import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["bench/**/*.test.ts"], testTimeout: 90_000, hookTimeout: 60_000, fileParallelism: false, maxWorkers: 1 } });
