use super::*;
use cp_vocab::id::TypedId;
use cp_vocab::media::Tone;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Speaks as many samples as the text has letters, when let go; panics or fails on demand.
struct Fake {
    calls: AtomicU64,
    gate: Option<Mutex<Receiver<()>>>,
}

impl TextToSpeech for Fake {
    fn identity(&self) -> String {
        "fake".into()
    }
    fn speak(&self, request: &SpeechRequest) -> Result<Samples, SpeechError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            locked(gate).recv().unwrap();
        }
        match request.text() {
            "panic" => panic!("as asked"),
            "fail" => Err(SpeechError::TimedOut { ms: 1 }),
            text => Ok(Samples {
                rate_hz: 8_000,
                data: vec![7; text.len()].into(),
            }),
        }
    }
}

fn tenant(n: u128) -> Option<TenantId> {
    Some(TenantId::from_u128(n))
}

fn speech(text: &str) -> Sound {
    Sound::Speech {
        text: text.into(),
        voice: None,
    }
}

fn prompt(name: &str) -> Sound {
    Sound::Prompt { name: name.into() }
}

fn prompts(config: PromptsConfig, gated: bool) -> (Prompts, Arc<Fake>, SyncSender<()>) {
    let (open, gate) = sync_channel(1_000);
    let fake = Arc::new(Fake {
        calls: AtomicU64::new(0),
        gate: gated.then(|| Mutex::new(gate)),
    });
    let prompts = Prompts::new(config, Some(fake.clone())).unwrap();
    (prompts, fake, open)
}

/// Resolves and waits for a pending one.
fn get(prompts: &Prompts, tenant: Option<TenantId>, sound: &Sound) -> Samples {
    let (tell, told) = sync_channel(1_000);
    match prompts.resolve(tenant, sound, move |s| tell.send(s).unwrap()) {
        Resolved::Ready(samples) => samples,
        Resolved::Pending => told.recv().unwrap(),
    }
}

#[test]
fn spoken_once_then_ready() {
    let (prompts, fake, _) = prompts(PromptsConfig::default(), false);
    let first = get(&prompts, tenant(1), &speech("hello"));
    assert_eq!(first.data.len(), 5);
    let never = |_| panic!("dropped, not called");
    let again = prompts.resolve(tenant(2), &speech(" hello\n"), never);
    assert_eq!(again, Resolved::Ready(first));
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
    assert_eq!((prompts.stats().spoken, prompts.stats().ready), (1, 1));
}

#[test]
fn many_who_ask_meanwhile_are_one_flight() {
    let (prompts, fake, open) = prompts(PromptsConfig::default(), true);
    let (tell, told) = sync_channel(1_000);
    for _ in 0..10 {
        let tell = tell.clone();
        let resolved = prompts.resolve(tenant(1), &speech("hello"), move |s| tell.send(s).unwrap());
        assert_eq!(resolved, Resolved::Pending);
    }
    open.send(()).unwrap();
    for _ in 0..10 {
        assert_eq!(told.recv().unwrap().data.len(), 5);
    }
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
}

#[test]
fn what_fails_is_a_beep_and_not_tried_again_at_once() {
    let (prompts, fake, _) = prompts(PromptsConfig::default(), false);
    for text in ["fail", "panic"] {
        assert_eq!(get(&prompts, tenant(1), &speech(text)), beep());
        assert_eq!(get(&prompts, tenant(1), &speech(text)), beep());
    }
    assert_eq!(fake.calls.load(Ordering::SeqCst), 2);
    assert_eq!((prompts.stats().failed, prompts.stats().fallbacks), (2, 4));
    assert_eq!(get(&prompts, tenant(1), &speech("fine")).data.len(), 4);
}

#[test]
fn without_a_provider_words_beep_and_tones_sound() {
    let prompts = Prompts::new(PromptsConfig::default(), None).unwrap();
    let never = |_| panic!("dropped, not called");
    let beeps = |sound: &Sound| prompts.resolve(tenant(1), sound, never) == Resolved::Ready(beep());
    assert!(beeps(&speech("hello")));
    assert!(beeps(&prompt("position/3/120")));
    assert!(beeps(&speech("")));
    assert!(beeps(&speech(&"x".repeat(2_001))));
    assert!(beeps(&Sound::Tone { tone: Tone::Beep }));
    assert!(!beeps(&Sound::Silence { ms: 100 }));
    assert_eq!(get(&prompts, tenant(1), &prompt("greeting")), beep());
    assert!(get(&prompts, tenant(1), &prompt("music")).data.len() > 100_000);
}

#[test]
fn tenants_prompts_go_before_the_houses() {
    let folder = tempfile::tempdir().unwrap();
    let (house, own) = (folder.path().join("house"), folder.path().join("tenants"));
    let mine = own.join(tenant(1).unwrap().to_string());
    for dir in [&house, &mine] {
        std::fs::create_dir_all(dir).unwrap();
    }
    let file = |n: i16| {
        let data = vec![n; 10].into();
        crate::wav::write_wav(&Samples {
            rate_hz: 16_000,
            data,
        })
        .unwrap()
    };
    std::fs::write(house.join("hold.wav"), file(1)).unwrap();
    std::fs::write(mine.join("hold.wav"), file(2)).unwrap();
    std::fs::write(house.join("bad.wav"), b"rubbish").unwrap();
    std::fs::write(folder.path().join("secret.wav"), file(9)).unwrap();
    let config = PromptsConfig {
        house: Some(house),
        tenants: Some(own),
        ..PromptsConfig::default()
    };
    let (prompts, _, _) = prompts(config, false);
    assert_eq!(get(&prompts, tenant(1), &prompt("hold")).data[0], 2);
    assert_eq!(get(&prompts, tenant(2), &prompt("hold")).data[0], 1);
    assert_eq!(prompts.ready(None, &prompt("hold")), None);
    assert_eq!(get(&prompts, None, &prompt("hold")).data[0], 1);
    assert!(prompts.ready(None, &prompt("hold")).is_some());
    for name in [
        "bad",
        "nowhere",
        "../secret",
        "..",
        ".hidden",
        "a/b",
        "",
        "x\0y",
        "/etc/passwd",
    ] {
        assert_eq!(get(&prompts, tenant(1), &prompt(name)), beep(), "{name:?}");
    }
    // A changed file is heard after it was forgotten.
    std::fs::write(mine.join("hold.wav"), file(3)).unwrap();
    assert_eq!(get(&prompts, tenant(1), &prompt("hold")).data[0], 2);
    prompts.forget(tenant(1), "hold");
    assert_eq!(get(&prompts, tenant(1), &prompt("hold")).data[0], 3);
    // Spoken where there is no file.
    assert!(get(&prompts, tenant(1), &prompt("goodbye")).data.len() > 10);
}

#[test]
fn numbers_are_sentences() {
    let (prompts, _, _) = prompts(PromptsConfig::default(), false);
    let words = |name: &str| get(&prompts, tenant(1), &prompt(name)).data.len();
    assert_eq!(words("position/3"), sentence::position(3, None).len());
    assert_eq!(
        words("position/3/120"),
        sentence::position(3, Some(120)).len()
    );
    assert_eq!(words("digits/4930"), "4, 9, 3, 0".len());
    for bad in [
        "position/x",
        "position/3/x",
        "position/3/4/5",
        "nothing/3",
        "position/-1",
    ] {
        assert_eq!(get(&prompts, tenant(1), &prompt(bad)), beep(), "{bad}");
    }
}

#[test]
fn a_sequence_comes_whole_and_in_order() {
    let (prompts, _, open) = prompts(PromptsConfig::default(), true);
    let sounds = [
        speech("four"),
        Sound::Silence { ms: 1 },
        speech("seven77"),
        speech("four"),
    ];
    let (tell, told) = sync_channel(1_000);
    let now = prompts.resolve_all(tenant(1), &sounds, move |all| tell.send(all).unwrap());
    assert_eq!(now, None);
    for _ in 0..2 {
        open.send(()).unwrap();
    }
    let lengths = |all: Vec<Samples>| all.iter().map(|s| s.data.len()).collect::<Vec<_>>();
    assert_eq!(lengths(told.recv().unwrap()), [4, 8, 7, 4]);
    let again = prompts.resolve_all(tenant(1), &sounds, |_| panic!("all there"));
    assert_eq!(lengths(again.unwrap()), [4, 8, 7, 4]);
    assert_eq!(prompts.resolve_all(tenant(1), &[], |_| ()), Some(vec![]));
}

#[test]
fn too_many_at_once_beep_and_the_rest_is_made() {
    let config = PromptsConfig {
        threads: 1,
        ..PromptsConfig::default()
    };
    let (prompts, fake, open) = prompts(config, true);
    let (tell, told) = sync_channel(1_000);
    let mut ready = 0;
    let texts: Vec<_> = (0..PENDING_MAX + 20).map(|n| format!("text {n}")).collect();
    for text in &texts {
        let tell = tell.clone();
        match prompts.resolve(tenant(1), &speech(text), move |_| tell.send(()).unwrap()) {
            Resolved::Ready(samples) => {
                assert_eq!(samples, beep());
                ready += 1;
            }
            Resolved::Pending => {}
        }
    }
    // One may be on the worker, the rest waits.
    assert!((19..=20).contains(&ready), "{ready}");
    for _ in 0..texts.len() - ready {
        open.send(()).unwrap();
        told.recv().unwrap();
    }
    assert_eq!(
        fake.calls.load(Ordering::SeqCst) as usize,
        texts.len() - ready
    );
}

#[test]
fn a_restart_finds_what_was_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let config = PromptsConfig {
        cache: Some(folder.path().join("speech")),
        ..PromptsConfig::default()
    };
    let before = get(
        &prompts(config.clone(), false).0,
        tenant(1),
        &speech("hello"),
    );
    let (after, fake, _) = prompts(config, false);
    assert_eq!(get(&after, tenant(1), &speech("hello")), before);
    assert_eq!(fake.calls.load(Ordering::SeqCst), 0);
    assert_eq!(after.stats().from_disk, 1);
}

#[test]
fn a_dropped_resolver_ends_its_threads() {
    let (prompts, _, open) = prompts(PromptsConfig::default(), true);
    let (tell, told) = sync_channel::<()>(1_000);
    for n in 0..5 {
        let tell = tell.clone();
        prompts.resolve(tenant(1), &speech(&format!("t{n}")), move |_| drop(tell));
    }
    drop(tell);
    for _ in 0..5 {
        let _ = open.send(());
    }
    drop(prompts);
    assert!(told.recv().is_err(), "all callbacks called or dropped");
}
