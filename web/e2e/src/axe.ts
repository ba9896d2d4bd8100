// axe-core on the page as it is now; a clean page has no findings.

import axe from "axe-core";
import type { Page } from "playwright-core";

export interface Finding {
  rule: string;
  impact: string;
  nodes: string[];
}

export async function axeFindings(page: Page): Promise<Finding[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const run = (window as unknown as { axe: { run(options: object): Promise<{ violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[] }> } }).axe;
    const { violations } = await run.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.map((v) => ({ rule: v.id, impact: v.impact, nodes: v.nodes.slice(0, 4).map((n) => `${n.html.slice(0, 160)} · ${n.failureSummary.split("\n").slice(1, 3).join(" ").trim()}`) }));
  });
}
