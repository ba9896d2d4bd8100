// How many serve each queue now, from the agents' states: pure.

import type { LiveAgent } from "../lib/live-types";

export interface Staff {
  free: number;
  signedIn: number;
}

/** As the server counts them: signed in is who is not offline, or still at work; free is who could be offered a call now. */
export function staffOf(rows: readonly { id: string; queues: readonly string[] }[], agents: ReadonlyMap<string, LiveAgent>): Map<string, Staff> {
  const found = new Map<string, Staff>();
  for (const row of rows) {
    const agent = agents.get(row.id);
    const off = !agent || (agent.presence === "offline" && agent.state === "idle");
    const free = !off && agent.presence === "available" && agent.state === "idle" && agent.phone_reachable;
    for (const queue of row.queues) {
      const before = found.get(queue) ?? { free: 0, signedIn: 0 };
      found.set(queue, { free: before.free + Number(free), signedIn: before.signedIn + Number(!off) });
    }
  }
  return found;
}
