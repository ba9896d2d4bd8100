use super::*;
use serde_json::json;

fn rules_of(path: &str, text: &str) -> Vec<(&'static str, usize)> {
    let findings = rules::check(path, text, &Default::default());
    findings.iter().map(|f| (f.rule, f.line)).collect()
}

#[test]
fn sans_io_crates_may_not_reach_outside() {
    let table = [
        ("let t = Instant::now();", true),
        ("let t = std::time::SystemTime::now();", true),
        ("let r = rand::rng();", true),
        ("let r = rand::rngs::StdRng::from_seed(s);", false),
        ("use std::net::SocketAddr;", false),
        ("use std::net::UdpSocket;", true),
        ("let f = std::fs::read(p);", true),
        ("std::thread::spawn(|| ());", true),
        ("async fn wait() {}", true),
        ("x.await;", true),
        ("let asynchronous = 1;", false),
        ("use tokio::sync::mpsc;", true),
        ("println!(\"x\");", true),
        ("// Instant::now() would be wrong", false),
        ("let s = \"Instant::now()\";", false),
        ("/* tokio /* nested */ async */ let a = 1;", false),
        ("let s = r#\"a \" println!(1) \"#; let b = 1;", false),
        ("let c = '\"'; let t = Instant::now();", true),
        ("fn f<'a>(x: &'a str) -> &'a str { x }", false),
    ];
    for (line, banned) in table {
        let found = rules_of("crates/sip/src/x.rs", line);
        assert_eq!(found.contains(&("sans-io", 1)), banned, "{line}: {found:?}");
        // A shell may say all of this.
        let shell = rules_of("crates/edge/src/x.rs", line);
        assert!(!shell.iter().any(|f| f.0 == "sans-io"), "{line}");
    }
}

#[test]
fn only_edge_and_fetch_open_connections() {
    let text = "async fn a() {\n    let s = TcpStream::connect(addr).await;\n}\n";
    assert_eq!(rules_of("crates/server/src/x.rs", text), [("connect", 2)]);
    assert_eq!(rules_of("crates/fetch/src/x.rs", text), []);
    assert_eq!(rules_of("crates/api/tests/x.rs", text), []);
}

#[test]
fn tests_may_read_files_but_not_sleep() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {\n        let x = std::fs::read(\"p\").unwrap();\n        std::thread::sleep(d);\n    }\n}\n";
    assert_eq!(rules_of("crates/sip/src/x.rs", text), [("sleep", 7)]);
    assert_eq!(
        rules_of("crates/sip/tests/x.rs", "fn t() { tokio::time::sleep(d); }"),
        [("sleep", 1)]
    );
    assert_eq!(
        rules_of("crates/edge/src/x.rs", "fn t() { thread::sleep(d); }"),
        []
    );
}

#[test]
fn a_module_for_tests_only_is_a_test_file() {
    let tests = rules::test_files(
        "crates/sip/src/ua/mod.rs",
        "#[cfg(test)]\nmod ladder;\nmod x;",
    );
    assert_eq!(tests[0], "crates/sip/src/ua/ladder.rs");
    let inner = rules::test_files("crates/sip/src/sdp.rs", "#[cfg(test)] mod table;");
    assert_eq!(inner[0], "crates/sip/src/sdp/table.rs");
    let known = tests.into_iter().collect();
    let found = |path| rules::check(path, "a.unwrap();", &known).len();
    assert_eq!(found("crates/sip/src/ua/ladder.rs"), 0);
    assert_eq!(found("crates/sip/src/ua/x.rs"), 1);
}

#[test]
fn unwrap_is_for_tests() {
    assert_eq!(
        rules_of("crates/api/src/x.rs", "a.unwrap();"),
        [("unwrap", 1)]
    );
    assert_eq!(rules_of("crates/api/src/x.rs", "a.unwrap_or(1);"), []);
    assert_eq!(rules_of("crates/api/src/x/tests.rs", "a.unwrap();"), []);
    assert_eq!(rules_of("crates/routing/examples/b.rs", "a.unwrap();"), []);
}

#[test]
fn leftovers_are_found_everywhere() {
    let fixme = concat!("// FIX", "ME later");
    for text in [
        "todo!()",
        "unimplemented!()",
        "#[ignore]",
        "#[ignore = \"slow\"]",
        fixme,
    ] {
        for path in [
            "crates/api/src/x.rs",
            "crates/api/tests/x.rs",
            "interop/tests/x.rs",
        ] {
            assert_eq!(rules_of(path, text), [("leftover", 1)], "{path} {text}");
        }
    }
    assert_eq!(rules_of("crates/api/src/x.rs", "let s = \"todo!\";"), []);
}

#[test]
fn only_store_speaks_sql() {
    let text = "let q = \"SELECT id FROM agents\";";
    assert_eq!(rules_of("crates/api/src/x.rs", text), [("sql", 1)]);
    assert_eq!(rules_of("crates/store/src/x.rs", text), []);
    assert_eq!(
        rules_of("crates/api/src/x.rs", "let q = \"Select a queue\";"),
        []
    );
}

#[test]
fn long_files_and_functions_are_found() {
    let long_fn = |n: usize| {
        format!(
            "fn f(\n    a: u8,\n) {{\n{}}}\n",
            "    g();\n".repeat(n - 4)
        )
    };
    assert_eq!(rules_of("crates/api/src/x.rs", &long_fn(100)), []);
    assert_eq!(
        rules_of("crates/api/src/x.rs", &long_fn(101)),
        [("fn-lines", 1)]
    );
    let consts = "const A: u8 = 1;\n";
    assert_eq!(rules_of("crates/api/src/x.rs", &consts.repeat(600)), []);
    assert_eq!(
        rules_of("crates/api/src/x.rs", &consts.repeat(601)),
        [("file-lines", 0)]
    );
    let tests = format!(
        "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
        consts.repeat(600),
        consts.repeat(900)
    );
    assert_eq!(rules_of("crates/api/src/x.rs", &tests), []);
    assert_eq!(
        rules_of("crates/api/src/x/tests.rs", &consts.repeat(2_000)),
        []
    );
}

#[test]
fn trait_methods_without_body_are_no_functions() {
    let text = format!(
        "trait T {{\n    fn a(&self) -> [u8; 4];\n{}}}\n",
        "    const X: u8;\n".repeat(200)
    );
    assert_eq!(rules_of("crates/api/src/x.rs", &text), []);
}

fn edge(folder: &str, siblings: &[&str], others: &[&str]) -> Vec<String> {
    let c = edges::Crate {
        folder: folder.into(),
        manifest: format!("crates/{folder}/Cargo.toml"),
        siblings: siblings.iter().map(ToString::to_string).collect(),
        others: others.iter().map(ToString::to_string).collect(),
    };
    edges::check(&[c]).into_iter().map(|f| f.what).collect()
}

#[test]
fn dependencies_run_one_way() {
    assert_eq!(edge("sip", &["vocab"], &["bytes"]), [""; 0]);
    assert_eq!(edge("engine", &["vocab", "sip", "routing"], &[]), [""; 0]);
    assert_eq!(
        edge("sip", &["media"], &[]),
        ["sip may not depend on media"]
    );
    assert_eq!(
        edge("edge", &["engine"], &[]),
        ["edge may not depend on engine"]
    );
    assert_eq!(
        edge("vocab", &["sip"], &[]),
        ["vocab may not depend on sip"]
    );
    assert_eq!(
        edge("sip", &[], &["tokio"]),
        ["sip is sans-IO and may not use tokio"]
    );
    assert_eq!(edge("server", &["api"], &["axum"]).len(), 1);
    assert_eq!(edge("api", &["store"], &["axum", "rusqlite"]).len(), 1);
    assert_eq!(edge("newcomer", &[], &[]).len(), 1);
}

#[test]
fn metadata_is_read() {
    let metadata = json!({"packages": [{
        "manifest_path": "/x/crates/api/Cargo.toml",
        "dependencies": [
            {"name": "cp-vocab", "path": "/x/crates/vocab"},
            {"name": "axum", "path": null},
        ],
    }]});
    let crates = edges::parse(&metadata, Path::new("/x")).unwrap();
    assert_eq!(crates[0].folder, "api");
    assert_eq!(crates[0].manifest, "crates/api/Cargo.toml");
    assert_eq!(crates[0].siblings, ["vocab"]);
    assert_eq!(crates[0].others, ["axum"]);
}

#[test]
fn the_tree_is_tied_to_no_machine() {
    let found = |path: &str, text: &str| text::check(path, text).len();
    assert_eq!(found("README.md", concat!("see /ho", "me/me/x")), 1);
    assert_eq!(found("a.sh", concat!("cd /wo", "rk/x")), 1);
    assert_eq!(
        found("README.md", "the frame/work/shop and net/home/page"),
        0
    );
    assert_eq!(
        found(
            "Cargo.lock",
            "source = \"registry+https://mirror.example/index\""
        ),
        1
    );
    assert_eq!(
        found(
            "Cargo.lock",
            "source = \"registry+https://github.com/rust-lang/crates.io-index\""
        ),
        0
    );
    assert_eq!(found(".cargo/config.toml", "[source.crates-io]"), 1);
    assert_eq!(
        found(
            "web/package-lock.json",
            "  \"resolved\": \"https://npm.example/x.tgz\","
        ),
        1
    );
    assert_eq!(
        found("web/package-lock.json", "  \"resolved\": \"desktop\","),
        0
    );
}

#[test]
fn every_capability_has_its_page() {
    let all: Vec<String> = text::CAPABILITIES
        .iter()
        .map(|c| format!("docs/{c}.md"))
        .collect();
    assert_eq!(text::missing_pages(&all), []);
    assert_eq!(text::missing_pages(&all[1..])[0].path, "docs/calls.md");
}

#[test]
fn the_list_of_sinners_only_shrinks() {
    let long = |size| {
        let mut f = Finding::new("file-lines", "a.rs", 0, "long");
        f.size = Some(size);
        vec![f]
    };
    let told = |size, list: &str| -> Vec<String> {
        sinners::apply_within(long(size), list, 1)
            .into_iter()
            .map(|f| f.what)
            .collect()
    };
    assert_eq!(told(700, "file-lines a.rs 700 # reason"), [""; 0]);
    assert_eq!(told(701, "file-lines a.rs 700"), ["long"]);
    assert_eq!(
        told(650, "file-lines a.rs 700"),
        ["file-lines a.rs: lower it to 650"]
    );
    assert_eq!(told(1_001, "file-lines a.rs 1001"), ["long"]);
    assert_eq!(told(700, "nonsense"), ["not `rule path [size]`", "long"]);
    let stale = sinners::apply_within(vec![], "unwrap b.rs", 1);
    assert_eq!(stale[0].what, "unwrap b.rs: no longer needed: remove it");
    let too_many = sinners::apply_within(vec![], "unwrap b.rs\nunwrap c.rs", 1);
    assert!(too_many.iter().any(|f| f.what.contains("at most 1")));
}
