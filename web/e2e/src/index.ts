export * from "./browser.js";
export * from "./ear.js";
export * from "./phone.js";
export * from "./ports.js";
export * from "./process.js";
export * from "./server.js";
export * from "./tone.js";
export * from "./wait.js";
