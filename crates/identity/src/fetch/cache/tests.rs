use super::*;
use proptest::prelude::*;

fn trust() -> Arc<Trust> {
    let key = rcgen::KeyPair::generate().unwrap();
    let root = rcgen::CertificateParams::new(Vec::new())
        .unwrap()
        .self_signed(&key)
        .unwrap();
    Arc::new(Trust::new(&root.pem()).unwrap())
}

fn drain(c: &mut Cache) -> (Vec<String>, Vec<(Waiter, Option<Fault>)>) {
    let (mut fetches, mut ready) = (Vec::new(), Vec::new());
    while let Some(o) = c.poll() {
        match o {
            Output::Fetch { url, .. } => fetches.push(url),
            Output::Ready { waiter, result, .. } => ready.push((waiter, result.err())),
        }
    }
    (fetches, ready)
}

fn want(url: &str, waiter: Waiter) -> Input {
    Input::Want {
        url: url.into(),
        waiter,
    }
}

const URL: &str = "https://cert.example.org/a.pem";

#[test]
fn one_fetch_for_a_thousand_calls_and_silence_costs_two_seconds() {
    let mut c = Cache::new(CacheLimits::default(), trust());
    let t0 = Timestamp::from_secs(1_000);
    for i in 0..1_000 {
        c.handle(t0, want(URL, i));
    }
    let (fetches, ready) = drain(&mut c);
    assert_eq!((fetches.len(), ready.len()), (1, 0));
    assert_eq!(c.next_timeout(), Some(t0 + Duration::from_secs(2)));
    c.handle(t0 + Duration::from_secs(2), Input::Tick);
    let (_, ready) = drain(&mut c);
    assert_eq!(ready.len(), 1_000);
    assert!(ready.iter().all(|(_, f)| *f == Some(Fault::FetchFailed)));
    // Remembered, then tried again.
    c.handle(t0 + Duration::from_secs(10), want(URL, 1));
    assert_eq!(drain(&mut c), (vec![], vec![(1, Some(Fault::FetchFailed))]));
    c.handle(t0 + Duration::from_secs(60), want(URL, 1));
    assert_eq!(drain(&mut c).0, [URL]);
}

#[test]
fn late_foreign_and_forbidden() {
    let mut c = Cache::new(CacheLimits::default(), trust());
    let t0 = Timestamp::from_secs(1_000);
    c.handle(t0, want("https://127.0.0.1/a", 1));
    assert_eq!(
        drain(&mut c),
        (vec![], vec![(1, Some(Fault::FetchRefused))])
    );
    let body = Fetched::Body {
        bytes: b"x".to_vec(),
        max_age_s: None,
    };
    c.handle(
        t0,
        Input::Done {
            url: URL.into(),
            fetched: body.clone(),
        },
    );
    assert!(c.is_empty(), "an answer nobody asked for");
    c.handle(t0, want(URL, 2));
    c.handle(
        t0,
        Input::Forget {
            url: URL.into(),
            waiter: 2,
        },
    );
    c.handle(
        t0,
        Input::Done {
            url: URL.into(),
            fetched: body,
        },
    );
    assert_eq!(drain(&mut c), (vec![URL.to_string()], vec![]));
    assert!(matches!(
        c.get(URL, t0),
        Some(Err(Fault::CertificateMalformed))
    ));
}

#[test]
fn limits_hold() {
    let limits = CacheLimits {
        entries_max: 3,
        fetches_max: 2,
        waiters_max: 2,
        ..CacheLimits::default()
    };
    let mut c = Cache::new(limits, trust());
    let t0 = Timestamp::from_secs(1_000);
    let url = |n: u32| format!("https://cert.example.org/{n}.pem");
    for w in 0..3 {
        c.handle(t0, want(&url(1), w));
    }
    assert_eq!(drain(&mut c).1, [(2, Some(Fault::FetchFailed))]);
    c.handle(t0, want(&url(2), 5));
    c.handle(t0, want(&url(3), 6));
    assert_eq!(drain(&mut c).1, [(6, Some(Fault::FetchFailed))]);
    c.handle(t0 + Duration::from_secs(2), Input::Tick);
    drain(&mut c);
    for n in 3..50 {
        let now = t0 + Duration::from_secs(3 * u64::from(n));
        c.handle(now, want(&url(n), 7));
        drain(&mut c);
        assert!(c.len() <= 3, "{}", c.len());
    }
}

proptest! {
    #[test]
    fn every_wait_is_answered_once(steps in proptest::collection::vec((0u8..4, 0u32..6, 0u64..3), 1..120)) {
        let limits = CacheLimits { entries_max: 4, fetches_max: 3, waiters_max: 3, ..CacheLimits::default() };
        let mut c = Cache::new(limits, trust_once());
        let mut now = Timestamp::from_secs(1_000);
        let (mut waiter, mut answered) = (0u64, std::collections::HashMap::new());
        for (what, n, s) in steps {
            now = now + Duration::from_secs(s);
            let url = format!("https://cert.example.org/{n}.pem");
            match what {
                0 | 1 => { c.handle(now, want(&url, waiter)); waiter += 1; }
                2 => c.handle(now, Input::Done { url, fetched: Fetched::Failed(Fault::FetchFailed) }),
                _ => c.handle(now, Input::Tick),
            }
            for (w, _) in drain(&mut c).1 { *answered.entry(w).or_insert(0) += 1; }
            prop_assert!(c.len() <= 4);
        }
        c.handle(now + Duration::from_secs(10), Input::Tick);
        for (w, _) in drain(&mut c).1 { *answered.entry(w).or_insert(0) += 1; }
        for w in 0..waiter { prop_assert_eq!(answered.get(&w), Some(&1)); }
    }
}

fn trust_once() -> Arc<Trust> {
    use std::sync::OnceLock;
    static TRUST: OnceLock<Arc<Trust>> = OnceLock::new();
    TRUST.get_or_init(trust).clone()
}
