-- What an agent's presence becomes after the work at hand.
ALTER TABLE agent_state ADD COLUMN next_presence TEXT;
