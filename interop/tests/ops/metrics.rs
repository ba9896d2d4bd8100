//! The metrics page is what Prometheus can read, and tells what happened.

use crate::world::{CALLED, QUEUED, call, carrier, hang_up, server};
use cp_interop::{Server, wait};
use std::collections::{BTreeMap, BTreeSet};

/// A page by sample: name with labels to value. Fails on anything the text format does not allow.
fn parse(page: &str) -> BTreeMap<String, f64> {
    assert!(page.ends_with('\n'), "the last line is ended");
    let mut families = BTreeSet::new();
    let mut samples = BTreeMap::new();
    let (mut helped, mut family, mut kind) = (String::new(), String::new(), String::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            assert!(!help.is_empty(), "{line}");
            helped = name.into();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').unwrap_or((rest, ""));
            assert_eq!(name, helped, "HELP before TYPE");
            assert!(["counter", "gauge", "histogram"].contains(&of), "{line}");
            assert!(families.insert(name.to_string()), "{name} twice");
            assert!(is_name(name), "{name}");
            (family, kind) = (name.into(), of.into());
            if kind == "counter" {
                assert!(
                    name.ends_with("_total"),
                    "{name} counts and is not called so"
                );
            }
            continue;
        }
        assert!(!line.starts_with('#'), "{line}");
        let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let name = sample.split('{').next().unwrap_or("");
        let base = match kind.as_str() {
            "histogram" => ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|s| name.strip_suffix(s)),
            _ => Some(name),
        };
        assert_eq!(base, Some(family.as_str()), "{line} stands in its family");
        assert_labels(sample);
        let number: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(
            samples.insert(sample.to_string(), number).is_none(),
            "{sample} twice"
        );
    }
    samples
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn assert_labels(sample: &str) {
    let Some((_, labels)) = sample.split_once('{') else {
        return;
    };
    let labels = labels
        .strip_suffix('}')
        .unwrap_or_else(|| panic!("{sample}"));
    let mut rest = labels;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{sample}"));
        assert!(is_name(name.trim_start_matches(',')), "{sample}");
        let mut escaped = false;
        let end = after.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        rest = &after[end.unwrap_or_else(|| panic!("{sample}")) + 1..];
    }
}

fn page(server: &Server) -> BTreeMap<String, f64> {
    let answer = server.http.get("/metrics").expect("GET /metrics");
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").unwrap_or("");
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    parse(&answer.text())
}

fn value(page: &BTreeMap<String, f64>, wanted: &[&str]) -> f64 {
    let fits = |sample: &str| wanted.iter().all(|w| sample.contains(w));
    let found: Vec<_> = page.iter().filter(|(s, _)| fits(s)).collect();
    let [(_, value)] = found.as_slice() else {
        panic!("{wanted:?}: {found:?}");
    };
    **value
}

#[test]
fn the_page_is_valid_and_tells_of_a_call() {
    let server = server(&[]);
    let before = page(&server);
    assert_eq!(value(&before, &["crosspoint_engine_answers"]), 1.0);
    assert_eq!(
        value(&before, &["crosspoint_interactions_started_total"]),
        0.0
    );
    let mut probe = carrier();
    let dialog = call(&mut probe, &server, CALLED);
    hang_up(&mut probe, dialog);
    let waiting = call(&mut probe, &server, QUEUED);
    let after = wait::until_within(wait::PATIENCE, "a caller in the queue", || {
        let now = page(&server);
        (value(&now, &["crosspoint_queue_waiting{", "name=\"support\""]) == 1.0).then_some(now)
    });
    assert_eq!(
        value(&after, &["crosspoint_interactions_started_total"]),
        2.0
    );
    assert_eq!(
        value(
            &after,
            &["crosspoint_sip_requests_total{", "\"in\"", "INVITE"]
        ),
        2.0
    );
    assert_eq!(
        value(&after, &["crosspoint_sip_requests_total{", "\"in\"", "BYE"]),
        1.0
    );
    assert!(
        value(
            &after,
            &["crosspoint_sip_responses_total{", "\"out\"", "\"200\""]
        ) >= 3.0
    );
    assert_eq!(
        value(&after, &["crosspoint_sip_table_entries{", "\"calls\""]),
        1.0
    );
    assert_eq!(
        value(&after, &["crosspoint_queue_agents{", "\"offline\""]),
        1.0
    );
    assert!(value(&after, &["crosspoint_log_records_total"]) > 5.0);
    assert!(value(&after, &["crosspoint_media_rtp_sent_total"]) >= 0.0);
    assert!(value(&after, &["process_resident_memory_bytes"]) > 1e6);
    hang_up(&mut probe, waiting);
    wait::until_within(wait::PATIENCE, "an empty queue", || {
        let now = page(&server);
        (value(&now, &["crosspoint_queue_waiting{", "name=\"support\""]) == 0.0).then_some(now)
    });
    // What callers send makes no lines.
    probe.request("STRANGE", &server.uri("x"), "y", server.sip, &[], None);
    let lines = page(&server).len();
    for i in 0..20 {
        probe.request(
            &format!("ODD{i}"),
            &server.uri("x"),
            "y",
            server.sip,
            &[],
            None,
        );
    }
    assert_eq!(page(&server).len(), lines);
}
