//! Customers prove themselves by telephone: digits on real phones, codes by a real mail server,
//! announced calls; and what was proven goes along with the caller.

use cp_interop::phone::Setup;
use cp_interop::process::Process;
use cp_interop::server::{number, phone, tenant, trunk};
use cp_interop::{Phone, Server, Sipp, ports, wait};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

const PIN: &str = "2580";

/// Ann serves `support`, Bob `second line`; both queues want callers proven. Cara (1003) is a customer.
fn house() -> Value {
    let agent = |name: &str, extension: &str, user: &str, queue: &str| {
        json!({"name": name, "extension": extension, "queues": [queue], "phone": user,
               "available_when_registered": true, "wrap_up_ms": 0})
    };
    let queue = |name: &str| json!({"name": name, "wrap_up_ms": 0, "ring_ms_max": 20_000});
    let announced = json!({"to": "await", "what": {"for": "expected_caller"}, "timeout_ms": 5_000,
        "then": {"to": "answer"}, "otherwise": {"to": "reject", "status": 603}});
    tenant(json!({
        "phones": [phone("1001"), phone("1002"), phone("1003")],
        "agents": [agent("Ann", "201", "1001", "support"), agent("Bob", "202", "1002", "second line")],
        "queues": [queue("support"), queue("second line")],
        "trunks": [trunk("carrier", &["127.0.0.2/32"], "")],
        "numbers": [
            number("support", json!({"to": "queue", "queue": "support"})),
            number("announced", announced),
        ],
    }))
}

struct World {
    server: Server,
    second: String,
}

/// `more`: settings of the server; both queues let nobody in who is not proven to level 2.
fn world(more: &[(&str, &str)], otherwise: Value) -> World {
    let server = Server::start_with(&house(), more);
    let gate = json!({"gate": {"what": {"for": "proof", "level": 2}, "timeout_ms": 60_000, "otherwise": otherwise}});
    for name in ["support", "second line"] {
        let id = server.id_of("queues", "name", name);
        change(&server, "PATCH", &format!("/v1/queues/{id}"), &gate, 200);
    }
    let cara = json!({"name": "Cara", "identities": [
        {"kind": "account", "value": "1003"}, {"kind": "email", "value": "cara@customer.test"}],
        "fields": [{"name": "balance", "label": "Balance", "value": "1,234.56 EUR", "class": "secure"}]});
    let cara = change(&server, "POST", "/v1/persons", &cara, 201);
    let path = format!(
        "/v1/persons/{}/credentials",
        cara["id"].as_str().expect("an id")
    );
    change(
        &server,
        "POST",
        &path,
        &json!({"method": "pin", "pin": PIN}),
        201,
    );
    let second = server.id_of("queues", "name", "second line");
    World { server, second }
}

fn change(server: &Server, method: &str, path: &str, body: &Value, status: u16) -> Value {
    let mut http = server.http.clone();
    // Edits say what they were made from; any version will do here.
    http.headers.push(("If-Match".into(), "*".into()));
    let answer = http.send(method, path, Some(body));
    let answer = answer.unwrap_or_else(|e| panic!("{method} {path}: {e}"));
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    if answer.body.is_empty() {
        Value::Null
    } else {
        answer.json()
    }
}

fn customer(server: &Server, interaction: &str) -> Value {
    server.get(&format!("/v1/interactions/{interaction}/customer"))
}

fn agent(user: &str, server: &Server) -> Phone {
    Setup::new(user).tone(1_000).start(server)
}

#[test]
fn a_pin_keyed_on_a_phone_is_asked_once_over_queue_blind_and_attended_transfers() {
    let World { server, second } = world(&[], Value::Null);
    let mut ann = agent("1001", &server);
    let mut bob = agent("1002", &server);
    let mut cara = Setup::new("1003").tone(600).start(&server);
    cara.dial(&server.uri("support"));
    cara.expect("CALL_ESTABLISHED");
    let trail = server.wait_trail("a question", |t| t.has("collect.started"));
    assert!(
        !trail.has("offer.made"),
        "nobody is offered a caller who is not proven"
    );
    let interaction = trail.interaction.clone();
    let before = customer(&server, &interaction);
    assert_eq!(before["fields"][0]["locked"], true, "{before}");
    cara.digits("9999#");
    server.wait_trail("another try", |t| t.count("collect.started") == 2);
    assert!(!ann.has_seen("CALL_INCOMING"));
    cara.digits(&format!("{PIN}#"));
    ann.expect("CALL_INCOMING");
    ann.accept();
    ann.hears(600.0);
    let after = customer(&server, &interaction);
    assert_eq!(after["fields"][0]["value"], "1,234.56 EUR", "{after}");
    assert_eq!(after["proof"]["methods"], json!(["pin"]));

    // To the other queue, which wants the same proof: it is there.
    let leg = server
        .wait_trail("a bridge", |t| t.has("call.bridged"))
        .leg_of("201");
    let to = json!({"destination": {"to": "queue", "queue": second}});
    server.command(&format!("/v1/legs/{leg}/transfer"), &to);
    bob.expect("CALL_INCOMING");
    bob.accept();
    bob.hears(600.0);
    // Blind, to Ann's phone.
    let trail = server.wait_trail("Bob's leg", |t| t.count("call.bridged") == 2);
    let to =
        json!({"destination": {"to": "agent", "agent": server.id_of("agents", "name", "Ann")}});
    server.command(&format!("/v1/legs/{}/transfer", trail.leg_of("202")), &to);
    ann.expect("CALL_INCOMING");
    ann.accept();
    ann.hears(600.0);
    // Attended, to Bob's again.
    let trail = server.wait_trail("Ann's leg", |t| t.count("call.bridged") == 3);
    let legs: Vec<String> = trail
        .all("leg.added")
        .filter(|e| e["address"].to_string().contains("201"))
        .filter_map(|e| e["leg"].as_str().map(str::to_string))
        .collect();
    let leg = legs.last().expect("Ann's second leg");
    let target = json!({"target": {"kind": "extension", "extension": "202"}});
    server.command(&format!("/v1/legs/{leg}/consult"), &target);
    bob.expect("CALL_INCOMING");
    bob.accept();
    server.wait_trail("the consultation", |t| t.has("consult.started"));
    bob.hears(1_000.0);
    server.command(&format!("/v1/legs/{leg}/complete"), &json!({}));
    bob.hears(600.0);
    let last = customer(&server, &interaction);
    assert_eq!(last["proof"]["level"], 2, "{last}");
    let token = server.get(&format!("/v1/interactions/{interaction}/proof"));
    cara.hang_up();

    let trail = server.wait_only_trail();
    assert_eq!(
        trail.count("collect.started"),
        2,
        "no further question after the right answer"
    );
    assert_eq!(trail.count("await.started"), 2);
    let how: Vec<_> = trail
        .all("proof.changed")
        .map(|e| e["step"].clone())
        .collect();
    assert_eq!(how[..2], [json!("failed"), json!("proven")], "{how:?}");
    assert_eq!(trail.count("leg.digit"), 0, "what was keyed is in no log");
    assert!(!format!("{:?}", trail.events).contains(PIN));
    // With the call ends what was proven in it.
    let path = format!("/v1/interactions/{interaction}/proof/verify");
    let shown = json!({"assertion": token["assertion"]});
    wait::until("the end of the proof", || {
        let verdict = server.post(&path, &shown).json();
        (verdict["fault"] == "revoked").then_some(())
    });
    assert!(!server.log().contains(PIN));
}

#[test]
fn wrong_pins_lead_where_the_queue_says() {
    let world = world(&[], json!({"to": "echo"}));
    let server = world.server;
    let ann = agent("1001", &server);
    let mut cara = Setup::new("1003").tone(600).start(&server);
    cara.dial(&server.uri("support"));
    cara.expect("CALL_ESTABLISHED");
    for n in 1..=3 {
        server.wait_trail("a question", |t| t.count("collect.started") == n);
        cara.digits("1357#");
    }
    let trail = server.wait_trail("an end of the wait", |t| t.has("await.ended"));
    assert_eq!(
        trail.find("await.ended").map(|e| e["met"].clone()),
        Some(json!(false))
    );
    cara.hears(600.0);
    assert!(!ann.has_seen("CALL_INCOMING"));
}

/// A mail server that keeps what it takes as files.
struct MailServer {
    _process: Process,
    port: u16,
    folder: tempfile::TempDir,
}

impl MailServer {
    fn start() -> Self {
        Self::start_with(|_| vec![])
    }

    /// It takes mail by STARTTLS alone, with a certificate of the house's own; `ca.pem` in its folder signed that.
    fn start_tls() -> Self {
        Self::start_with(|folder| {
            let key = rcgen::KeyPair::generate().expect("a key");
            let params = rcgen::CertificateParams::new(vec!["localhost".into()]);
            let signed = params.expect("names").self_signed(&key).expect("signed");
            let file = |name: &str, text: String| {
                let path = folder.join(name);
                std::fs::write(&path, text).expect("a file of our own");
                path.display().to_string()
            };
            let certificate = file("ca.pem", signed.pem());
            let key = file("key.pem", key.serialize_pem());
            ["--tlscert", &certificate, "--tlskey", &key]
                .map(str::to_string)
                .to_vec()
        })
    }

    fn start_with(more: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = ports::one();
        let mut command = Command::new("aiosmtpd");
        command
            .args(["-n", "-l", &format!("127.0.0.1:{port}")])
            .args(more(folder.path()))
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(folder.path().join("mail"));
        let process = Process::start("aiosmtpd", folder.path(), &mut command);
        wait::until("a mail server", || {
            std::net::TcpStream::connect(("127.0.0.1", port))
                .ok()
                .map(|_| ())
        });
        Self {
            _process: process,
            port,
            folder,
        }
    }

    /// The newest message, once there is one.
    fn message(&self) -> String {
        let folder: PathBuf = self.folder.path().join("mail/new");
        wait::until("a message", || {
            let file = std::fs::read_dir(&folder).ok()?.flatten().next()?;
            std::fs::read_to_string(file.path())
                .ok()
                .filter(|t| !t.is_empty())
        })
    }
}

#[test]
fn a_code_sent_by_mail_is_keyed_on_the_phone() {
    let mail = MailServer::start();
    let address = format!("127.0.0.1:{}", mail.port);
    let settings = [
        ("CROSSPOINT_MAIL_SERVER", address.as_str()),
        ("CROSSPOINT_MAIL_SECURITY", "none"),
        ("CROSSPOINT_MAIL_FROM", "calls@house.test"),
    ];
    let World { server, .. } = world(&settings, json!({"to": "reject", "status": 603}));
    change(
        &server,
        "PUT",
        "/v1/proof-policy",
        &json!({"phone_methods": ["code"]}),
        200,
    );
    let mut ann = agent("1001", &server);
    let mut cara = Setup::new("1003").tone(600).start(&server);
    cara.dial(&server.uri("support"));
    cara.expect("CALL_ESTABLISHED");
    server.wait_trail("a question", |t| t.has("collect.started"));
    let message = mail.message();
    assert!(message.contains("To: cara@customer.test"), "{message}");
    let line = message
        .lines()
        .find_map(|l| l.strip_prefix("Your code is "));
    let code: String = line
        .expect("a code")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    assert_eq!(code.len(), 8);
    cara.digits(&code);
    ann.expect("CALL_INCOMING");
    ann.accept();
    ann.hears(600.0);
    let trail = server.wait_trail("a bridge", |t| t.has("call.bridged"));
    let shown = customer(&server, &trail.interaction);
    assert_eq!(shown["proof"]["methods"], json!(["code"]), "{shown}");
    assert!(!format!("{:?}", trail.events).contains(&code));
}

#[test]
fn mail_goes_by_tls_to_a_server_whose_certificate_holds_and_to_no_other() {
    let mail = MailServer::start_tls();
    let address = format!("localhost:{}", mail.port);
    let ca = mail.folder.path().join("ca.pem").display().to_string();
    for (trusted, ca) in [(true, ca.as_str()), (false, "")] {
        let settings = [
            ("CROSSPOINT_MAIL_SERVER", address.as_str()),
            ("CROSSPOINT_MAIL_SECURITY", "starttls"),
            ("CROSSPOINT_MAIL_CA", ca),
            ("CROSSPOINT_MAIL_FROM", "calls@house.test"),
        ];
        let server = Server::start_with(&house(), &settings);
        let wish = json!({"from": "+18005550100", "to": "+15550100", "reason": "your order",
            "send_to": {"by": "email", "address": "cara@customer.test"}});
        let answer = server.post("/v1/precall-notices", &wish);
        if trusted {
            assert_eq!(answer.status, 201, "{}", answer.text());
            assert_eq!(answer.json()["sent"], true);
            let message = mail.message();
            assert!(message.contains("To: cara@customer.test"), "{message}");
            std::fs::remove_dir_all(mail.folder.path().join("mail/new")).expect("read");
        } else {
            assert!(answer.status >= 400, "{}", answer.text());
            assert!(!mail.folder.path().join("mail/new").exists());
        }
    }
}

/// What an authenticator app shows (RFC 6238), so many steps from now.
fn totp(otpauth: &str, steps: u64) -> String {
    let secret = otpauth.split("secret=").nth(1).expect("a secret");
    let secret = secret.split('&').next().expect("its end");
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<u8> = secret
        .chars()
        .flat_map(|c| {
            let v = alphabet.find(c).expect("base 32");
            (0..5).rev().map(move |i| (v >> i & 1) as u8)
        })
        .collect();
    let seed: Vec<u8> = bits
        .chunks_exact(8)
        .map(|b| b.iter().fold(0, |n, bit| n << 1 | bit))
        .collect();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let step = since.expect("after 1970").as_secs() / 30 + steps;
    use aws_lc_rs::hmac;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &seed);
    let mac = hmac::sign(&key, &step.to_be_bytes());
    let mac = mac.as_ref();
    let at = usize::from(mac[19] & 15);
    let number = u32::from_be_bytes(mac[at..at + 4].try_into().expect("four bytes"));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

#[test]
fn a_code_of_the_app_is_keyed_at_the_gate_and_a_further_one_said_to_the_agent() {
    let World { server, .. } = world(&[], json!({"to": "reject", "status": 603}));
    let rules = json!({"phone_methods": ["totp"], "intents": {"transfer": 2}});
    change(&server, "PUT", "/v1/proof-policy", &rules, 200);
    let person = server.get("/v1/persons")["items"][0]["id"].clone();
    let path = format!(
        "/v1/persons/{}/credentials",
        person.as_str().expect("an id")
    );
    let app = change(&server, "POST", &path, &json!({"method": "totp"}), 201);
    let app = app["otpauth"]
        .as_str()
        .expect("what the app scans")
        .to_string();
    let mut ann = agent("1001", &server);
    let mut cara = Setup::new("1003").tone(600).start(&server);
    cara.dial(&server.uri("support"));
    cara.expect("CALL_ESTABLISHED");
    server.wait_trail("a question", |t| t.has("collect.started"));
    let first = totp(&app, 0);
    cara.digits(&first);
    ann.expect("CALL_INCOMING");
    ann.accept();
    ann.hears(600.0);
    let trail = server.wait_trail("a bridge", |t| t.has("call.bridged"));
    let shown = customer(&server, &trail.interaction);
    assert_eq!(shown["proof"]["methods"], json!(["totp"]), "{shown}");
    // Said to the agent: what was keyed before is used up, the next one is good, once.
    let path = format!("/v1/interactions/{}/proof", trail.interaction);
    let next = totp(&app, 1);
    for (code, status) in [(&first, 403), (&next, 204), (&next, 403)] {
        let said = json!({"totp": code, "intent": "transfer"});
        let answer = server.post(&path, &said);
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let trail = server.trail(&trail.interaction);
    assert!(!format!("{:?}", trail.events).contains(&first));
    assert!(!server.log().contains(&next));
}

#[test]
fn one_who_is_moved_to_a_queue_that_wants_proof_is_asked_there() {
    let World { server, .. } = world(&[], Value::Null);
    // Where it waits first, nothing is asked, and nobody is there.
    let open = change(&server, "POST", "/v1/queues", &json!({"name": "open"}), 201);
    let to = json!({"to": "queue", "queue": open["id"]});
    let body = json!({"number": "open", "name": "open", "public": true, "destination": to});
    change(&server, "POST", "/v1/numbers", &body, 201);
    let mut ann = agent("1001", &server);
    let mut cara = Setup::new("1003").tone(600).start(&server);
    cara.dial(&server.uri("open"));
    let waits = server.wait_trail("a place in the queue", |t| t.has("queue.entered"));
    assert!(!waits.has("collect.started"));
    let to = json!({"queue": server.id_of("queues", "name", "support")});
    server.command(
        &format!("/v1/interactions/{}/queue", waits.interaction),
        &to,
    );
    let trail = server.wait_trail("a question", |t| t.has("collect.started"));
    assert!(!trail.has("offer.made"), "{:?}", trail.kinds());
    assert!(!ann.has_seen("CALL_INCOMING"));
    cara.digits(&format!("{PIN}#"));
    ann.expect("CALL_INCOMING");
    ann.accept();
    ann.hears(600.0);
}

/// A token as a partner makes it, by a tool of its own.
fn announcement(partner: &Value, from: &str, nonce: &str, secret: Option<&str>) -> String {
    let program = "import base64,hashlib,hmac,json,sys,time\n\
        kid,secret,sender,nonce=sys.argv[1:]\n\
        b=lambda x: base64.urlsafe_b64encode(x).rstrip(b'=').decode()\n\
        now=int(time.time())\n\
        i=b(json.dumps({'alg':'HS256','kid':kid,'typ':'cp-precall+jwt'}).encode())+'.'+\
        b(json.dumps({'jti':nonce,'iat':now,'exp':now+120,'from':sender,'name':'Ann of Partner'}).encode())\n\
        k=base64.urlsafe_b64decode(secret+'='*(-len(secret)%4))\n\
        print(i+'.'+b(hmac.new(k,i.encode(),hashlib.sha256).digest()))\n";
    let known = partner["secret"].as_str().expect("a secret");
    let made = Command::new("python3")
        .args(["-c", program, partner["id"].as_str().expect("an id")])
        .args([secret.unwrap_or(known), from, nonce])
        .output()
        .expect("python3 runs");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    String::from_utf8_lossy(&made.stdout).trim().to_string()
}

#[test]
fn an_announced_call_is_let_in_once_and_others_are_screened() {
    let World { server, .. } = world(&[], Value::Null);
    let partner = change(
        &server,
        "POST",
        "/v1/caller-partners",
        &json!({"name": "Partner"}),
        201,
    );
    let screened = || {
        let caller = Sipp::new("uac_refused")
            .dial("announced")
            .value("STATUS", 603);
        caller.run(server.sip);
    };
    let announce = |token: &str| {
        let body = json!({ "token": token });
        let answer = server.post("/v1/precall", &body);
        assert_eq!((answer.status, answer.text()), (202, "{}".to_string()));
    };
    let listed = |n: usize| {
        wait::until("the list", || {
            let list = server.get("/v1/precalls");
            (list["items"].as_array().map(Vec::len) == Some(n)).then_some(())
        });
    };
    screened();
    // A token that somebody else signed: the same answer, and no record.
    let wrong = announcement(
        &partner,
        "15550100",
        "nonce-0000000000",
        Some("d3Jvbmcgc2VjcmV0IG9mIHNvbWVib2R5IGVsc2U"),
    );
    announce(&wrong);
    let good = announcement(&partner, "15550100", "nonce-1111111111", None);
    announce(&good);
    listed(1);
    Sipp::new("uac").dial("announced").run(server.sip);
    listed(0);
    screened();
    // The same token again makes no second record.
    announce(&good);
    screened();
    let trail = server
        .trails()
        .into_iter()
        .find(|t| t.find("await.ended").is_some_and(|e| e["met"] == true))
        .expect("the call that was let in");
    let told = trail.find("proof.changed").expect("who announced it");
    assert_eq!(told["trust"]["by"], "Partner", "{told}");
    assert_eq!(told["trust"]["methods"], json!(["call_token"]));
}
