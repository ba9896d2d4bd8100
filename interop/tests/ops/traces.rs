//! Spans reach a collector, tell of the call and of nobody, and wait while it is away.

use crate::collector::{Collector, Span};
use crate::world::{CALLED, CALLER, QUEUED, call, carrier, hang_up, server};
use cp_interop::server::metric;
use cp_interop::{Server, ports, wait};
use std::net::SocketAddr;

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn call_and_hang_up(server: &Server, to: &str) -> String {
    let known: Vec<String> = server.trails().into_iter().map(|t| t.interaction).collect();
    let mut probe = carrier();
    let dialog = call(&mut probe, server, to);
    hang_up(&mut probe, dialog);
    let ended = server.wait_trail("an end", |t| t.is_over() && !known.contains(&t.interaction));
    ended.interaction
}

fn wait_trace(collector: &Collector, server: &Server, interaction: &str) -> Vec<Span> {
    let what = format!("spans of {interaction}");
    let found = wait::try_until(wait::PATIENCE, || {
        let trace = collector.trace_of(interaction);
        (!trace.is_empty()).then_some(trace)
    });
    found.unwrap_or_else(|| panic!("{what}: {}", server.log_tail()))
}

#[test]
fn a_call_is_a_span_with_a_span_for_each_leg() {
    let collector = Collector::start(local(0));
    let server = server(&[("CROSSPOINT_OTLP_ENDPOINT", &collector.endpoint())]);
    let answered = call_and_hang_up(&server, CALLED);
    let queued = call_and_hang_up(&server, QUEUED);

    let trace = wait_trace(&collector, &server, &answered);
    let [root, leg] = trace.as_slice() else {
        panic!("a root and a leg: {trace:#?}");
    };
    assert_eq!(
        (root.name.as_str(), leg.name.as_str()),
        ("interaction", "leg")
    );
    assert!(root.parent.is_empty(), "{root:#?}");
    assert_eq!(leg.parent, root.id);
    assert_eq!((root.trace.len(), root.id.len()), (16, 8));
    assert!(
        root.start_ns <= leg.start_ns && leg.end_ns <= root.end_ns && leg.start_ns < leg.end_ns
    );
    let of = |span: &Span, key: &str| span.attributes.get(key).cloned().unwrap_or_default();
    assert_eq!(of(root, "crosspoint.direction"), "inbound");
    assert_eq!(of(root, "crosspoint.end_reason"), "hung_up");
    assert_eq!(of(root, "crosspoint.legs"), "1");
    assert_eq!(of(leg, "crosspoint.codec"), "PCMU");
    assert_eq!(of(leg, "crosspoint.endpoint"), "trunk");
    assert!(of(leg, "crosspoint.endpoint.id").starts_with("trk_"));
    assert_eq!(leg.events, ["answered"]);

    let trace = wait_trace(&collector, &server, &queued);
    assert!(
        of(&trace[0], "crosspoint.queue").starts_with("que_"),
        "{trace:#?}"
    );
    assert_eq!(of(&trace[0], "crosspoint.queue.exit"), "abandoned");
    assert!(
        trace[0].events.iter().any(|e| e == "queue.entered"),
        "{trace:#?}"
    );

    collector.look(|seen| {
        assert!(
            seen.paths.iter().all(|p| p == "/v1/traces"),
            "{:?}",
            seen.paths
        );
        let text = String::from_utf8_lossy(&seen.bytes);
        let digits = [CALLED, CALLER, QUEUED].map(|n| n.trim_start_matches('+'));
        for private in digits
            .iter()
            .copied()
            .chain(["127.0.0", "sip:", "interop.test"])
        {
            assert!(!text.contains(private), "{private} is in the spans");
        }
    });
    let page = server.http.get("/metrics").expect("metrics").text();
    assert!(
        metric(&page, "crosspoint_trace_spans_total") >= Some(4.0),
        "{page}"
    );
}

#[test]
fn spans_wait_for_the_collector_and_survive_a_crash() {
    let address = local(ports::one());
    let endpoint = format!("http://{address}");
    let mut server = server(&[("CROSSPOINT_OTLP_ENDPOINT", &endpoint)]);
    let before = call_and_hang_up(&server, CALLED);
    wait::until_within(wait::PATIENCE, "a failed export", || {
        let page = server.http.get("/metrics").ok()?.text();
        (metric(&page, "crosspoint_trace_export_failures_total")? >= 1.0).then_some(())
    });
    // Without a collector calls go on as if nothing were.
    let between = call_and_hang_up(&server, CALLED);
    server.crash_and_restart();
    let collector = Collector::start(address);
    wait_trace(&collector, &server, &before);
    wait_trace(&collector, &server, &between);
    let after = call_and_hang_up(&server, CALLED);
    wait_trace(&collector, &server, &after);
    // What was taken once is not sent again after the next start.
    let sent = collector.look(|seen| seen.spans.len());
    wait::until_within(wait::PATIENCE, "the cursor after them", || {
        let page = server.http.get("/metrics").ok()?.text();
        (metric(&page, "crosspoint_trace_spans_total")? >= sent as f64).then_some(())
    });
    server.crash_and_restart();
    let last = call_and_hang_up(&server, CALLED);
    wait_trace(&collector, &server, &last);
    assert_eq!(collector.look(|seen| seen.spans.len()), sent + 2);
}
