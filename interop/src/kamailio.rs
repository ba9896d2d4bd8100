//! Kamailio as a carrier: it relays between a trunk to Crosspoint and the phones registered with it.

use crate::process::Process;
use crate::{ports, probe, wait};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The carrier's address: the trunk is known by it.
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

pub struct Kamailio {
    process: Process,
    _folder: TempDir,
    pub addr: SocketAddr,
}

impl Kamailio {
    /// Starts on [`CARRIER`]. Calls from `peer` go to the phones registered here; calls from those
    /// phones go to `peer` when the user dialled is not registered here.
    pub fn start(peer: SocketAddr) -> Self {
        Self::start_on(ports::one(), peer)
    }

    pub fn start_on(port: u16, peer: SocketAddr) -> Self {
        Self::start_with(port, |addr| text(addr, CARRIER_ROUTES, peer))
    }

    /// A customer's exchange that sends every call back to `peer`, on to `number`, and says who
    /// diverted it. Like most it drops the Identity headers; with `keeps_headers` it leaves unknown
    /// ones as they are.
    pub fn forwarding(port: u16, peer: SocketAddr, number: &str, keeps_headers: bool) -> Self {
        let drop = if keeps_headers {
            ""
        } else {
            "remove_hf(\"X-Crosspoint-Call\"); remove_hf(\"Session-ID\");"
        };
        let routes = FORWARDING_ROUTES
            .replace("{{NUMBER}}", number)
            .replace("{{DROP}}", drop);
        Self::start_with(port, |addr| text(addr, &routes, peer))
    }

    fn start_with(port: u16, text: impl FnOnce(SocketAddr) -> String) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("kam")
            .tempdir()
            .expect("a temporary folder");
        let addr = SocketAddr::from((CARRIER, port));
        let config = folder.path().join("kamailio.cfg");
        std::fs::write(&config, text(addr)).expect("write its configuration");
        let mut command = Command::new(program());
        command
            .arg("-f")
            .arg(&config)
            .args(["-DD", "-E", "-m", "32", "-M", "8"])
            .arg("-Y")
            .arg(folder.path())
            .arg("-w")
            .arg(folder.path())
            .arg("-P")
            .arg(folder.path().join("pid"));
        let mut process = Process::start("kamailio", folder.path(), &mut command).impolite();
        let mut asker = probe::Probe::udp(CARRIER, 0);
        asker.patience = Duration::from_millis(100);
        wait::until("Kamailio answers OPTIONS", || {
            assert!(process.is_running(), "it ended: {}", process.log_tail());
            asker.options(addr).filter(|r| r.status == 200)
        });
        Self {
            process,
            _folder: folder,
            addr,
        }
    }

    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn program() -> &'static str {
    let usual = "/usr/sbin/kamailio";
    if Path::new(usual).exists() {
        usual
    } else {
        "kamailio"
    }
}

/// The folder of its modules, which is named after the architecture.
fn modules() -> PathBuf {
    let candidates = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let mut found = candidates
        .map(|e| e.path().join("kamailio/modules"))
        .filter(|p| p.is_dir());
    found
        .next()
        .expect("the modules of package kamailio under /usr/lib")
}

/// Relays between the phones registered here and `peer`.
const CARRIER_ROUTES: &str = r#"  if (is_method("REGISTER")) { save("location"); exit; }
  if (is_method("INVITE|SUBSCRIBE")) record_route();
  if ($si == "{{PEER_IP}}" && $sp == {{PEER_PORT}}) {
    if (lookup("location")) { t_relay(); exit; }
    sl_send_reply("404", "Not Found");
    exit;
  }
  if (lookup("location")) { t_relay(); exit; }
  $rd = "{{PEER_IP}}";
  $rp = {{PEER_PORT}};
  $du = "sip:{{PEER}}";
  t_relay();
"#;

/// Sends every call back to where it came from, to another number.
const FORWARDING_ROUTES: &str = r#"  if (is_method("INVITE")) {
    record_route();
    append_hf("Diversion: <sip:$rU@$Ri>;reason=unconditional;counter=1\r\n");
    remove_hf("Identity");
    {{DROP}}
    $rU = "{{NUMBER}}";
    $rd = "{{PEER_IP}}";
    $rp = {{PEER_PORT}};
    $du = "sip:{{PEER}}";
    t_relay();
    exit;
  }
  sl_send_reply("404", "Not Here");
"#;

fn text(addr: SocketAddr, routes: &str, peer: SocketAddr) -> String {
    let modules = modules();
    let routes = routes
        .replace("{{PEER}}", &peer.to_string())
        .replace("{{PEER_IP}}", &peer.ip().to_string())
        .replace("{{PEER_PORT}}", &peer.port().to_string());
    format!(
        r#"#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:{addr}
listen=tcp:{addr}
mpath="{modules}/"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("usrloc", "db_mode", 0)
modparam("rr", "append_fromtag", 1)

request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    sl_send_reply("404", "Not Here");
    exit;
  }}
  if (is_method("OPTIONS") && $rU == $null) {{ sl_send_reply("200", "OK"); exit; }}
{routes}}}
"#,
        modules = modules.display()
    )
}
