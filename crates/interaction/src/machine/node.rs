//! What becomes of a call whose process has died, or is about to stop.

use super::*;

impl Interaction {
    /// The process that carried the call is gone, and its workers and its routing with it: nothing
    /// more will be heard of recordings and wrap-ups.
    pub(crate) fn node_lost(&mut self, ctx: &mut Ctx<'_>) {
        self.end_all(ctx, EndReason::NodeLost, None, None);
        self.media.clear();
        if let Some(r) = self.state.recording.clone() {
            let error = Some("node_lost".to_string());
            self.emit(
                ctx,
                Event::RecordingEnded {
                    recording: r.id,
                    duration_ms: 0,
                    error,
                },
            );
        }
        for agent in self.state.wrap_up.clone() {
            self.emit(
                ctx,
                Event::WrapUpEnded {
                    agent,
                    timed_out: true,
                },
            );
        }
    }

    /// The process is about to go, and the call cannot go on elsewhere: it ends as calls end.
    pub(crate) fn node_stops(&mut self, ctx: &mut Ctx<'_>) {
        if self.state.ended.is_none() {
            let detail = Some("stopped".to_string());
            self.end_all(ctx, EndReason::NodeLost, None, detail);
        }
    }
}
