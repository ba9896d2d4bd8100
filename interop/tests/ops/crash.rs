//! `kill -9` under load: nothing acknowledged is lost, nothing hangs on.

use crate::world::{CALLED, CALLER, QUEUED, carrier, server};
use cp_interop::probe::{Dialog, Probe};
use cp_interop::{Trail, wait};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 6;
/// Calls answered before the power goes.
const CALLS: usize = 60;
/// "Calls that died end as `node_lost` within 2 s of the restart."
const SETTLED: Duration = Duration::from_secs(2);

fn call_ids(trails: &[Trail]) -> BTreeSet<String> {
    let added = trails.iter().flat_map(|t| t.all("leg.added"));
    added
        .filter_map(|e| e["call_id"].as_str().map(str::to_string))
        .collect()
}

#[test]
fn a_crash_under_load_loses_nothing_acknowledged() {
    let mut server = server(&[]);
    let answered: Mutex<Vec<Dialog>> = Mutex::default();
    let stop = AtomicBool::new(false);
    let (peer, uris) = (server.sip, [server.uri(CALLED), server.uri(QUEUED)]);
    let mut clients: Vec<Probe> = (0..CLIENTS).map(|_| carrier()).collect();
    for c in &mut clients {
        c.patience = Duration::from_millis(500);
    }
    let pid = server.pid().to_string();
    let mut clients = std::thread::scope(|scope| {
        let place = |mut probe: Probe| {
            let (answered, stop, uris) = (&answered, &stop, &uris);
            scope.spawn(move || {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    let (_, dialog) = probe.invite(&uris[n % 2], CALLER, peer, &[]);
                    answered.lock().expect("lock").extend(dialog);
                }
                probe
            })
        };
        let threads: Vec<_> = clients.drain(..).map(place).collect();
        wait::until_within(wait::PATIENCE, "calls under load", || {
            (answered.lock().expect("lock").len() >= CALLS).then_some(())
        });
        // While calls are being placed.
        let killed = std::process::Command::new("kill")
            .args(["-KILL", &pid])
            .status();
        assert!(killed.is_ok_and(|s| s.success()));
        stop.store(true, Ordering::Relaxed);
        let back = threads.into_iter().map(|t| t.join().expect("a client"));
        back.collect::<Vec<_>>()
    });
    let answered = answered.into_inner().expect("lock");

    let begun = Instant::now();
    server.crash_and_restart();
    let started = begun.elapsed();
    let healthy = Instant::now();
    wait::until_within(wait::PATIENCE, "the end of all calls", || {
        let rows = cp_interop::events::items(&server.get("/v1/interactions?limit=200"));
        let open = rows.iter().any(|i| i["state"] != "ended");
        (!open).then_some(())
    });
    let settled = healthy.elapsed();
    println!(
        "{} calls answered; healthy after {started:?}, settled {settled:?} later",
        answered.len()
    );
    assert!(settled < SETTLED, "{settled:?}");

    let trails = server.trails();
    let known = call_ids(&trails);
    for dialog in &answered {
        assert!(
            known.contains(&dialog.call_id),
            "{} was answered and is not in the log",
            dialog.call_id
        );
    }
    for trail in &trails {
        trail.assert_gapless();
        assert!(trail.is_over(), "{:?}", trail.kinds());
        assert_eq!(trail.end_reason(), "node_lost", "{:?}", trail.kinds());
        assert_eq!(trail.count("interaction.ended"), 1);
    }
    // The phones are told: each client gets a BYE for each of its calls.
    let mut told = BTreeSet::new();
    for probe in &mut clients {
        probe.patience = Duration::from_secs(1);
        while let Some(bye) = probe.answer_next("BYE") {
            told.insert(bye.header("Call-ID").to_string());
        }
    }
    let missed: Vec<_> = answered
        .iter()
        .filter(|d| !told.contains(&d.call_id))
        .collect();
    assert!(
        missed.is_empty(),
        "{} of {} were not told",
        missed.len(),
        answered.len()
    );
    // And calls are taken again, with nothing left of before.
    let mut probe = carrier();
    probe.normal_call(&server.uri(CALLED), server.sip, "a crash");
}
