//! T1.4: what we sign holds for another implementation (Python's cryptography, from the Debian package
//! `python3-cryptography`), read by its own code. `CP_CASES=10000` for a long run; the way back is
//! `tokens_of_another_make` in `interop`.
#![allow(clippy::unwrap_used)]

mod common;

use aws_lc_rs::rand::SystemRandom;
use common::pki::{Authority, spc_list};
use cp_identity::canonical::Identifier;
use cp_identity::divert::{Diversion, diversions};
use cp_identity::json::Value;
use cp_identity::passport::sign::{NewPassport, Signer};
use cp_identity::passport::{Attestation, Ppt};
use cp_identity::tnauth::TnAuthList;
use std::io::Write;
use std::process::{Command, Stdio};

/// Reads the certificate, then a token and what it must say on each line; tells how many hold.
const READER: &str = r#"
import base64, json, re, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
text = sys.stdin.read()
pem, lines = text.split("-----END CERTIFICATE-----")
key = x509.load_pem_x509_certificate((pem + "-----END CERTIFICATE-----").encode()).public_key()
def read(part):
    assert re.fullmatch(r"[A-Za-z0-9_-]+", part)
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
good = 0
for line in filter(None, lines.split("\n")):
    token, kind, orig, dest, iat = line.split(" ")
    jose, claims, signature = token.split(".")
    raw = read(signature)
    assert len(raw) == 64
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(der, (jose + "." + claims).encode(), ec.ECDSA(hashes.SHA256()))
    for part in (jose, claims):
        said = json.loads(read(part))
        canonical = json.dumps(said, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        assert canonical.encode() == read(part), part
    head, said = json.loads(read(jose)), json.loads(read(claims))
    assert (head["alg"], head["typ"], head.get("ppt", "-")) == ("ES256", "passport", kind)
    assert said["iat"] == int(iat) and said["dest"] == {"tn": [dest]} and said["orig"] == {"tn": orig}
    assert kind != "div" or said["div"]["tn"]
    assert kind != "rcd" or said["rcd"]["nam"] == "Zoë \"Q\" \\ 電話 \u2028 </script>"
    good += 1
print(good)
"#;

#[test]
fn what_we_sign_holds_elsewhere() {
    let wanted = std::env::var("CP_CASES").ok().and_then(|n| n.parse().ok());
    let count: u64 = wanted.unwrap_or(1_000);
    let root = Authority::root("Root");
    let list = spc_list("709J");
    let (pem, key) = root.leaf("SHAKEN 709J", list.clone(), |_| {});
    let scope = TnAuthList::parse(&list).unwrap();
    let signer = Signer::from_pkcs8(&key, "https://cert.example.org/1.pem", scope).unwrap();
    let rng = SystemRandom::new();
    let mut text = format!("{}\n", pem.trim());
    let card = Value::parse(
        "{\"rcd\":{\"nam\":\"Zoë \\\"Q\\\" \\\\ 電話 \u{2028} </script>\"},\"crn\":\"why\"}"
            .as_bytes(),
    );
    let card = card.unwrap().as_object().unwrap().clone();
    for n in 0..count {
        let number = |base: u64, n: u64| Identifier::Number((base + n).to_string());
        let (orig, first) = (
            number(12_155_550_000, n % 9_999),
            number(442_071_230_000, n),
        );
        let iat = 1_780_000_000 + n as i64;
        let dest = std::slice::from_ref(&first);
        let plain = |ppt| NewPassport {
            ppt,
            orig: &orig,
            dest,
            iat,
            more: Default::default(),
        };
        let attest = [Attestation::A, Attestation::B, Attestation::C][n as usize % 3];
        let origid = format!("123e4567-e89b-12d3-a456-{n:012x}");
        let shaken = NewPassport::shaken(&orig, dest, iat, attest, &origid);
        let (kind, token, called) = match n % 4 {
            0 => (
                "shaken",
                signer.sign(&shaken, &rng).unwrap().token,
                first.clone(),
            ),
            1 => (
                "-",
                signer.sign(&plain(Ppt::Base), &rng).unwrap().token,
                first.clone(),
            ),
            2 => {
                let more = card.clone();
                let new = NewPassport {
                    more,
                    ..plain(Ppt::Rcd)
                };
                ("rcd", signer.sign(&new, &rng).unwrap().token, first.clone())
            }
            _ => {
                let original = signer.sign(&shaken, &rng).unwrap().header;
                let to = number(81_312_340_000, n);
                let diversion = Diversion {
                    from: &first,
                    to: &to,
                    iat,
                    history_index: Some("1.1"),
                };
                let mut made = diversions(&[&original], &diversion, &signer, &rng).unwrap();
                ("div", made.remove(0).token, to)
            }
        };
        let line = format!(
            "{token} {kind} {} {} {iat}\n",
            orig.as_str(),
            called.as_str()
        );
        text.push_str(&line);
    }
    let mut python = Command::new("python3")
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut input = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let out = python.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(
        String::from_utf8_lossy(&out.stdout).trim(),
        count.to_string(),
        "{errors}"
    );
    writer.join().unwrap().unwrap();
}
