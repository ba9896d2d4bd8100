//! The list of settings.

/// Every key with its default as text and what it is for; the sample file is printed from this.
pub const KEYS: &[(&str, &str, &str)] = &[
    (
        "data",
        "./data",
        "folder of the database, recordings and prompt cache",
    ),
    (
        "provision",
        "",
        "JSON file applied at the first start (tenants, phones, queues, numbers)",
    ),
    (
        "durability",
        "full",
        "what a commit survives: full (power loss) or os (crash of the process)",
    ),
    (
        "drain_ms_max",
        "30000",
        "how long a stopping node waits for its calls",
    ),
    (
        "http.listen",
        "127.0.0.1:8080",
        "address of API and desktop",
    ),
    (
        "http.tls",
        "false",
        "whether browsers reach it by HTTPS (secure cookies); TLS itself ends before us",
    ),
    (
        "http.origins",
        "",
        "further origins whose pages may use it (https://desk.example), comma separated; the first is where people sign in",
    ),
    (
        "http.behind_proxy",
        "false",
        "a proxy of yours appends the client's address to X-Forwarded-For",
    ),
    (
        "http.step_up_s",
        "900",
        "how long a sign-in counts for dangerous changes, in seconds; after it people prove themselves again",
    ),
    (
        "http.public_url",
        "",
        "where customers' browsers reach this server (https://desk.example); empty: http://localhost and the port",
    ),
    (
        "http.leaked_passwords",
        "",
        "file of leaked passwords, one SHA-1 in hex per line, sorted (as haveibeenpwned.com gives them); new passwords that are in it are refused",
    ),
    (
        "uploads.scanner",
        "",
        "virus scanner for what is sent in: host:port or socket path of clamd, or of another that knows INSTREAM; empty: none",
    ),
    (
        "uploads.scan_required",
        "true",
        "refuse what is sent in while the scanner cannot be reached",
    ),
    (
        "secrets.key_file",
        "",
        "file with the keys that seal secrets in the database; empty: secrets.key in the data folder, made at the first start",
    ),
    (
        "secrets.key",
        "",
        "the keys themselves, comma separated; meant for the environment (CROSSPOINT_SECRETS_KEY)",
    ),
    (
        "sip.udp",
        "0.0.0.0:5060",
        "addresses for SIP over UDP, comma separated; empty: none",
    ),
    ("sip.tcp", "0.0.0.0:5060", "addresses for SIP over TCP"),
    ("sip.tls", "", "addresses for SIP over TLS"),
    ("sip.ws", "", "addresses for SIP over WebSocket (RFC 7118)"),
    ("sip.wss", "", "addresses for SIP over secure WebSocket"),
    (
        "sip.advertised",
        "",
        "address peers reach us at, when it is not the one listened on",
    ),
    ("sip.certificate", "", "PEM chain for tls and wss"),
    ("sip.key", "", "PEM key for tls and wss"),
    (
        "sip.client_authorities",
        "",
        "PEM authorities whose client certificates are accepted",
    ),
    (
        "sip.server_authorities",
        "",
        "PEM authorities of servers we connect to; empty: the system's",
    ),
    (
        "sip.session_expires_s",
        "1800",
        "session timer (RFC 4028), 90 to 86400; 0: none",
    ),
    (
        "sip.interactions_max",
        "200000",
        "interactions at a time; more are refused with 503",
    ),
    ("media.address", "0.0.0.0", "address RTP is bound to"),
    (
        "media.advertised",
        "",
        "address put into SDP; empty: sip.advertised, or the machine's own",
    ),
    ("media.ports", "10000-30000", "range of RTP ports"),
    ("media.workers", "", "media threads; empty: one per core"),
    (
        "media.silent_ms",
        "20000",
        "RTP silence after which a leg counts as dropped",
    ),
    (
        "webrtc.port",
        "auto",
        "port for browsers, UDP and TCP; worker n takes it plus n. auto: 40000, or any when that is taken; off: no calls in the browser",
    ),
    (
        "webrtc.advertised",
        "",
        "addresses told to browsers; empty: media.advertised, or the machine's own",
    ),
    (
        "webrtc.tcp",
        "true",
        "take browsers over TCP too, where no UDP gets out",
    ),
    (
        "webrtc.turn",
        "",
        "TURN servers given to browsers (turn:turn.example:3478?transport=udp)",
    ),
    (
        "webrtc.turn_secret",
        "",
        "secret shared with the TURN server (coturn: static-auth-secret)",
    ),
    (
        "webrtc.turn_ttl_s",
        "3600",
        "how long a TURN credential holds",
    ),
    (
        "speech.command",
        "espeak-ng",
        "program that speaks; empty: prompts become a tone",
    ),
    ("speech.voice", "en-us", "its voice"),
    ("log.filter", "info", "what is logged (tracing filter)"),
    ("log.json", "false", "one JSON object per line"),
    (
        "fetch.allow",
        "",
        "hosts or networks beside the public internet that may be fetched from (certificates, identity providers, push services), comma separated",
    ),
    (
        "fetch.authorities",
        "",
        "PEM file of the authorities trusted when fetching; empty: those of the system",
    ),
    (
        "fetch.hosts",
        "",
        "names known without DNS when fetching, as name=address",
    ),
    (
        "fetch.name_servers",
        "",
        "name servers for fetching, address with port; empty: the system's",
    ),
    (
        "mail.server",
        "",
        "mail server (host:port) for codes and links; empty: no mail",
    ),
    (
        "mail.security",
        "starttls",
        "tls, starttls, or none (to a server on this machine only)",
    ),
    (
        "mail.ca",
        "",
        "file with the certificate (PEM) that signed the mail server's; empty: those the system trusts",
    ),
    ("mail.user", "", "name to sign in with; empty: none"),
    ("mail.password", "", "password to sign in with"),
    ("mail.from", "", "address our mail comes from"),
    (
        "sms.url",
        "",
        "HTTP interface of a text gateway (POST of To, From, Body); empty: no texts",
    ),
    ("sms.user", "", "name to sign in with"),
    ("sms.password", "", "password to sign in with"),
    ("sms.from", "", "number or name our texts come from"),
    (
        "otlp.endpoint",
        "",
        "OpenTelemetry collector (http://host:4318); empty: no traces leave",
    ),
    (
        "emergency.live",
        "false",
        "let emergency numbers leave by trunks; never in a demo or test",
    ),
    (
        "identity.roots",
        "",
        "PEM roots of caller certificates (STIR/SHAKEN); empty: no Identity header is verified",
    ),
    (
        "identity.revocations",
        "",
        "revocation list of the policy administrator, DER or PEM; read again at SIGHUP",
    ),
    (
        "identity.revocations_url",
        "",
        "https address the list is fetched from, in place of a file; again as often as the answer says",
    ),
    (
        "identity.revocations_signer",
        "",
        "PEM certificate that signs the revocation list",
    ),
    (
        "identity.public_url",
        "",
        "https address by which verifiers reach this server's /identity/certificates (x5u)",
    ),
    (
        "identity.freshness_s",
        "60",
        "how old or early a signature may be, 15 to 300 seconds",
    ),
    (
        "identity.wait_ms_max",
        "1500",
        "how long a call waits for its caller's certificate, then it goes on unverified",
    ),
    (
        "identity.forward_threshold_pct",
        "5",
        "share of forwarded calls from which a number is likely to forward (its last 100 calls)",
    ),
    (
        "identity.forward_calls_min",
        "5",
        "calls a number must have had before its share counts",
    ),
    (
        "identity.forward_retention_s",
        "120",
        "how long an identity is kept for its call to come back, 10 to 10800 seconds",
    ),
    (
        "card.content_ms_max",
        "800",
        "how long after a call came in pictures and texts from elsewhere are still added to its ring card; 0: never",
    ),
];
