// Who staffs a queue is counted from the agents as events move them.

import { expect, test } from "vitest";
import { apply, emptyState } from "../src/lib/live-reduce";
import type { LiveAgent, StreamEvent } from "../src/lib/live-types";
import { staffOf } from "../src/supervisor/count";

const rows = [{ id: "agt_1", queues: ["que_1", "que_2"] }, { id: "agt_2", queues: ["que_1"] }, { id: "agt_3", queues: [] }];
const agent = (id: string, part: Partial<LiveAgent> = {}): LiveAgent => ({ id, presence: "offline", state: "idle", since: "2026-01-02T03:04:05Z", phone_reachable: true, desktop: true, offers: [], interaction: null, leg: null, ...part });
let n = 0;
const event = (type: string, data: Record<string, unknown>): StreamEvent => ({ specversion: "1.0", id: String(++n), type, time: "2026-01-02T03:05:00Z", subject: String(data.agent), sequence: n, cursor: String(n), data });

test("each change of state counts at once", () => {
  const state = emptyState();
  for (const id of ["agt_1", "agt_2", "agt_3"]) state.agents.set(id, agent(id));
  const staff = () => [...staffOf(rows, state.agents)].map(([id, s]) => `${id} ${s.free}/${s.signedIn}`);
  expect(staff()).toEqual(["que_1 0/0", "que_2 0/0"]);
  apply(state, event("agent.presence_changed", { agent: "agt_1", presence: "available" }));
  expect(staff()).toEqual(["que_1 1/1", "que_2 1/1"]);
  apply(state, event("agent.presence_changed", { agent: "agt_2", presence: "break" }));
  expect(staff()).toEqual(["que_1 1/2", "que_2 1/1"]);
  apply(state, event("agent.state_changed", { agent: "agt_1", state: "interacting", interaction: "int_1" }));
  expect(staff()).toEqual(["que_1 0/2", "que_2 0/1"]);
  apply(state, event("agent.presence_changed", { agent: "agt_2", presence: "offline" }));
  expect(staff()).toEqual(["que_1 0/1", "que_2 0/1"]);
});

test("who signs in with no phone that the page knows of is looked up", () => {
  const state = emptyState();
  state.agents.set("agt_1", agent("agt_1", { phone_reachable: false }));
  expect(apply(state, event("agent.presence_changed", { agent: "agt_1", presence: "available" })).stale).toBe(true);
  expect(apply(state, event("agent.presence_changed", { agent: "agt_1", presence: "offline" })).stale).toBe(false);
});
