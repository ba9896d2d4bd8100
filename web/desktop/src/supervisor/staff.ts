// Who staffs each queue, counted from the agents themselves so that it moves with each event.

import { useCallback } from "react";
import { useMade } from "../lib/live";
import type { LiveAgent } from "../lib/live-types";
import { useRows } from "../lib/names";
import { staffOf, type Staff } from "./count";

const same = (a: Map<string, Staff>, b: Map<string, Staff>): boolean => a.size === b.size && [...a].every(([id, s]) => b.get(id)?.free === s.free && b.get(id)?.signedIn === s.signedIn);

/** By queue; nothing before the agents are known. */
export function useStaff(): Map<string, Staff> {
  const rows = useRows("agents").data;
  return useMade("agents", useCallback((agents: ReadonlyMap<string, LiveAgent>) => (rows ? staffOf(rows, agents) : new Map<string, Staff>()), [rows]), same);
}
