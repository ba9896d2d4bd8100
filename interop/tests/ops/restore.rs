//! A backup that is older than an erasure is put back: who was erased is not served again.

use cp_interop::server::{phone, tenant};
use cp_interop::{Server, wait};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const ANN: &str = "+4930123456";
const BEN: &str = "+4930999999";

fn database(folder: &Path) -> Vec<std::path::PathBuf> {
    let names = ["crosspoint.db", "crosspoint.db-wal", "crosspoint.db-shm"];
    names.iter().map(|n| folder.join("data").join(n)).collect()
}

#[test]
fn who_was_erased_is_erased_again_before_a_restored_backup_is_served() {
    let mut server = Server::start(&tenant(json!({ "phones": [phone("1001")] })));
    let made = |name: &str, number: &str| {
        let person = json!({ "name": name, "identities": [{ "kind": "phone", "value": number }] });
        let person = server.post("/v1/persons", &person).json();
        let consent = json!({ "identifier": number, "what": "recording", "how": "said yes" });
        assert_eq!(server.post("/v1/consents", &consent).status, 201);
        person["id"].as_str().expect("an id").to_string()
    };
    let (ann, ben) = (made("Ann", ANN), made("Ben", BEN));
    let backup = tempfile::tempdir().expect("a folder");
    server.crash_meanwhile(|folder| {
        for file in database(folder).iter().filter(|f| f.exists()) {
            let name = file.file_name().expect("a name");
            std::fs::copy(file, backup.path().join(name)).expect("a copy");
        }
    });
    let asked = json!({ "person": ann, "reason": "asked by letter" });
    let job = server.post("/v1/erasures", &asked);
    assert_eq!(job.status, 202, "{}", job.text());
    let job = format!(
        "/v1/privacy-jobs/{}",
        job.json()["id"].as_str().expect("an id")
    );
    let limit = Duration::from_secs(20);
    wait::until_within(limit, "Ann is erased", || {
        (server.get(&job)["state"] == "done").then_some(())
    });
    let ledger = server.folder().join("data/erasures.log");
    let told = std::fs::read_to_string(&ledger).expect("the list of erasures");
    assert!(
        !told.contains("4930123456") && !told.contains("Ann"),
        "it is sealed"
    );

    server.crash_meanwhile(|folder| {
        for file in database(folder) {
            let _ = std::fs::remove_file(&file);
            let kept = backup.path().join(file.file_name().expect("a name"));
            if kept.exists() {
                std::fs::copy(kept, &file).expect("the copy is put back");
            }
        }
    });
    // The first that is asked.
    let status = |id: &str| {
        server
            .http
            .get(&format!("/v1/persons/{id}"))
            .expect("an answer")
            .status
    };
    assert_eq!((status(&ann), status(&ben)), (404, 200));
    let consents = server.get("/v1/consents").to_string();
    assert!(
        !consents.contains(ANN) && consents.contains(BEN),
        "{consents}"
    );
    assert_eq!(
        server.get(&job)["state"],
        "done",
        "with a certificate of its own"
    );
    assert!(server.log().contains("erased again after a restore"));

    // Without the key nobody can say who must not be served: nobody is.
    server.crash_meanwhile(|folder| {
        let ledger = folder.join("data/erasures.log");
        let text = std::fs::read_to_string(&ledger).expect("the list");
        std::fs::write(&ledger, text.replace("sealed1:", "sealed1:00000000x")).expect("a change");
        let told = std::process::Command::new(cp_interop::server::binary())
            .arg("serve")
            .current_dir(folder)
            .env("CROSSPOINT_DATA", folder.join("data"))
            .env("CROSSPOINT_HTTP_LISTEN", "127.0.0.1:0")
            .env("CROSSPOINT_SIP_UDP", "127.0.0.1:0")
            .env("CROSSPOINT_SIP_TCP", "127.0.0.1:0")
            .output()
            .expect("it ends");
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        // Done in this database already: nothing is missing, but the list cannot be read.
        assert!(
            !told.status.success() && said.contains("erasures.log"),
            "{said}"
        );
        std::fs::write(&ledger, text).expect("as it was");
    });
}
