//! A server on a real socket with two tenants of the same shape, and a double of the engine.

use crate::client::Client;
use cp_api::auth::password;
use cp_api::{ApiState, Backend, PushRefused, Pusher, Readiness, Settings};
use cp_store::{
    Change, ContactStore, Edit, Options, PrivacyJob, PrivacyStore, PushRow, Role, SqliteStore,
    Store, User,
};
use cp_vocab::brand::{Brand, Picture, PictureKind};
use cp_vocab::command::{Actor, CommandEnvelope, CommandResult};
use cp_vocab::event::{Direction, Endpoint, LegRole, LogPosition};
use cp_vocab::id::TypedId;
use cp_vocab::live::{LiveAgent, LiveDocument, LiveInteraction, LiveLeg};
use cp_vocab::model::*;
use cp_vocab::party::NumberRules;
use cp_vocab::*;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use tokio::sync::{oneshot, watch};

pub(crate) const PASSWORD: &str = "correct horse battery";
/// In every text of a tenant that another must not see: `<name>-secret`.
pub(crate) const MARK: &str = "-secret";

static PASSWORD_HASH: LazyLock<String> = LazyLock::new(|| password::hash(PASSWORD));

/// The rows of one tenant.
#[derive(Clone)]
pub(crate) struct Rows {
    pub(crate) name: &'static str,
    pub(crate) tenant: TenantId,
    pub(crate) agent: AgentId,
    pub(crate) supervisor_agent: AgentId,
    pub(crate) agent_user: UserId,
    pub(crate) admin_user: UserId,
    pub(crate) queue: QueueId,
    pub(crate) skill: SkillId,
    pub(crate) phone: PhoneId,
    pub(crate) interaction: InteractionId,
    pub(crate) leg: LegId,
    pub(crate) offer: OfferId,
    pub(crate) recording: RecordingId,
    /// Any id of the tenant by its prefix.
    pub(crate) by_prefix: HashMap<&'static str, String>,
}

pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) engine: Arc<Double>,
    pub(crate) desk: Arc<cp_proof::Desk>,
    pub(crate) alpha: Rows,
    pub(crate) beta: Rows,
    state: ApiState,
    clock: Arc<AtomicU64>,
    position: AtomicU64,
    _folder: tempfile::TempDir,
    _stop: oneshot::Sender<()>,
}

/// Records what it is asked, refuses what belongs to another tenant, and tells of commits.
pub(crate) struct Double {
    pub(crate) commands: Mutex<Vec<CommandEnvelope>>,
    /// What was sent to customers: address and words.
    pub(crate) mails: Mutex<Vec<(String, String)>>,
    /// How many commands came.
    pub(crate) count: watch::Sender<usize>,
    owners: Mutex<HashMap<String, TenantId>>,
    store: Arc<SqliteStore>,
    commits: watch::Sender<LogPosition>,
    pub(crate) refuse_with: Mutex<Option<Refusal>>,
    pub(crate) ready: Mutex<bool>,
}

impl Double {
    pub(crate) fn commands_of(&self, word: &str) -> Vec<CommandEnvelope> {
        let all = self.commands.lock().unwrap();
        all.iter()
            .filter(|e| word_of(&e.command) == word)
            .cloned()
            .collect()
    }

    fn judge(&self, envelope: &CommandEnvelope) -> CommandResult {
        if let Some(refusal) = self.refuse_with.lock().unwrap().clone()
            && !matches!(envelope.command, Command::Configure { .. })
        {
            return Err(refusal);
        }
        let document = serde_json::to_value(&envelope.command).unwrap_or_default();
        for name in ["leg", "offer"] {
            let owner = document[name]
                .as_str()
                .and_then(|id| self.owners.lock().unwrap().get(id).copied());
            if document[name].is_string() && owner != Some(envelope.tenant) {
                return Err(Refusal::new(Code::NotFound, format!("no such {name}")));
            }
        }
        let document = match &envelope.command {
            Command::Live => Some(serde_json::to_value(self.live(envelope.tenant)).unwrap()),
            Command::OutboundUsage => Some(json!({ "calls": 0 })),
            Command::Bans => Some(json!({ "items": [] })),
            Command::Devices { .. } => Some(json!({ "devices": [], "calls": [] })),
            Command::Explain { .. } => Some(json!({ "chosen": "longest idle" })),
            _ => None,
        };
        Ok(CommandReply {
            interaction: Some(InteractionId::from_u128(77)),
            document,
            ..Default::default()
        })
    }

    fn live(&self, tenant: TenantId) -> LiveDocument {
        let snapshot = self.store.snapshot().unwrap();
        let agents = snapshot.agents.iter().filter(|a| a.tenant == tenant);
        let live_agent = |a: &Agent| LiveAgent {
            id: a.id,
            presence: Presence::Available,
            next_presence: None,
            state: RoutingState::Interacting,
            since: Timestamp::from_secs(1_767_000_000),
            phone_reachable: true,
            desktop: true,
            offers: vec![],
            interaction: Some(InteractionId::from_u128(a.id.as_u128())),
            leg: None,
            wrap_up_until: None,
        };
        let interaction = |a: &Agent| LiveInteraction {
            id: InteractionId::from_u128(a.id.as_u128()),
            seq: 1,
            direction: Direction::Inbound,
            from: Pii(Address::Anonymous),
            from_name: None,
            to: Pii(Address::Extension("100".into())),
            started: Timestamp::from_secs(1_767_000_000),
            queue: None,
            waiting: false,
            waiting_since: None,
            priority: 0,
            recording: Default::default(),
            slot: None,
            legs: vec![LiveLeg {
                id: LegId::from_u128(a.id.as_u128()),
                role: LegRole::Agent,
                address: Pii(Address::Anonymous),
                agent: Some(a.id),
                status: cp_vocab::event::CallStatus::Connected,
                since: Timestamp::from_secs(1_767_000_000),
                held: false,
                muted: false,
                supervise: None,
            }],
            card: None,
        };
        LiveDocument {
            at: Timestamp::from_secs(1_767_000_000),
            interactions: agents.clone().map(interaction).collect(),
            agents: agents.map(live_agent).collect(),
            ..Default::default()
        }
    }
}

pub(crate) fn word_of(command: &Command) -> String {
    match command {
        Command::Configure { .. } => "configure".into(),
        other => {
            let value = serde_json::to_value(other).unwrap();
            value["command"].as_str().unwrap().to_string()
        }
    }
}

impl Backend for Double {
    fn command(&self, envelope: CommandEnvelope) -> BoxFuture<'_, CommandResult> {
        let result = self.judge(&envelope);
        self.commands.lock().unwrap().push(envelope);
        self.count.send_modify(|n| *n += 1);
        async move { result }.boxed()
    }
    fn commits(&self) -> watch::Receiver<LogPosition> {
        self.commits.subscribe()
    }
    fn readiness(&self) -> Readiness {
        Readiness {
            ready: *self.ready.lock().unwrap(),
            ..Default::default()
        }
    }
    fn metrics(&self) -> String {
        "crosspoint_calls 3\n".into()
    }
    fn pusher(&self) -> Option<&dyn Pusher> {
        Some(self)
    }
}

impl cp_proof::Engine for Double {
    fn tell(&self, envelope: CommandEnvelope) {
        self.commands.lock().unwrap().push(envelope);
        self.count.send_modify(|n| *n += 1);
    }
}

impl cp_proof::Messages for Double {
    fn can(&self, route: cp_proof::Route) -> bool {
        route == cp_proof::Route::Email
    }
    fn send(
        &self,
        _: cp_proof::Route,
        to: &Pii<String>,
        _: &str,
        text: &Pii<String>,
    ) -> Result<(), cp_proof::SendFault> {
        let mail = (to.expose().clone(), text.expose().clone());
        self.mails.lock().unwrap().push(mail);
        Ok(())
    }
}

impl Pusher for Double {
    fn public_key(&self) -> String {
        "BKey".into()
    }
    fn check<'a>(&'a self, row: &'a PushRow) -> BoxFuture<'a, Result<(), PushRefused>> {
        let refused = !row.endpoint.expose().starts_with("https://");
        let result = match refused {
            true => Err(PushRefused {
                pointer: "/endpoint",
                detail: "only https".into(),
            }),
            false => Ok(()),
        };
        async move { result }.boxed()
    }
    fn test(&self, row: PushRow) -> BoxFuture<'_, Result<(), PushRefused>> {
        async move { self.check(&row).await }.boxed()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let world = Self::empty(None).await;
        for rows in [world.alpha.clone(), world.beta.clone()] {
            world.fill(&rows).await;
        }
        world
    }

    /// Without tenants, as at the first start.
    pub(crate) async fn empty(setup_token: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Arc::new(SqliteStore::open(&Options::at(folder.path().join("log.db"))).unwrap());
        let (commits, _) = watch::channel(LogPosition(0));
        let teller = commits.clone();
        store.on_commit(Box::new(move |outcome| {
            assert!(outcome.error.is_none(), "{outcome:?}");
            teller.send_replace(outcome.upto);
        }));
        let engine = Arc::new(Double {
            commands: Mutex::default(),
            mails: Mutex::default(),
            count: watch::Sender::new(0),
            owners: Mutex::default(),
            store: store.clone(),
            commits,
            refuse_with: Mutex::default(),
            ready: Mutex::new(true),
        });
        let clock = Arc::new(AtomicU64::new(Timestamp::from_secs(1_767_000_000).0));
        let settings = Settings {
            recordings: folder.path().join("recordings"),
            setup_token: setup_token.map(String::from),
            ..Default::default()
        };
        let ticking = clock.clone();
        let now = Arc::new(move || Timestamp(ticking.fetch_add(1, Ordering::Relaxed)));
        let desk = cp_proof::Desk::new(cp_proof::Parts {
            store: store.clone(),
            engine: engine.clone(),
            messages: engine.clone(),
            clock: now.clone(),
            settings: cp_proof::Settings {
                public_url: "http://localhost:8080".into(),
            },
        });
        let desk = Arc::new(desk.unwrap());
        let state = ApiState::with_clock(store.clone(), engine.clone(), settings, now);
        state.set_proofs(desk.clone());
        tokio::spawn(cp_api::privacy::run(state.clone()));
        let kept = state.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(cp_api::serve(listener, state, async move {
            let _ = stopped.await;
        }));
        std::fs::create_dir(folder.path().join("recordings")).unwrap();
        let client = Client {
            addr: Some(addr),
            headers: vec![],
        };
        let position = AtomicU64::new(0);
        let alpha = rows("alpha", 0xA);
        let beta = rows("beta", 0xB);
        Self {
            client,
            store,
            engine,
            desk,
            alpha,
            beta,
            state: kept,
            clock,
            position,
            _folder: folder,
            _stop: stop,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::Relaxed))
    }

    /// Somebody who runs the platform, in alpha.
    pub(crate) async fn operator(&self) -> Client {
        let id = UserId::from_u128(0x0FE7);
        let row = User {
            password_hash: Pii(PASSWORD_HASH.clone()),
            ..User::new(
                id,
                self.alpha.tenant,
                "operator",
                "Operator",
                vec![Role::Operator],
            )
        };
        let edit = Edit::new(self.alpha.tenant, Actor::System, self.now());
        self.store
            .apply(edit, vec![Change::Create(row.into())])
            .unwrap();
        self.as_role(&self.alpha, "operator").await
    }

    pub(crate) fn recordings(&self) -> std::path::PathBuf {
        self._folder.path().join("recordings")
    }

    /// What the runner does each hour.
    pub(crate) async fn sweep_privacy(&self) {
        cp_api::privacy::sweep(&self.state).await.unwrap();
    }

    pub(crate) fn advance_s(&self, seconds: u64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// Appends to the log of an interaction and waits until it is durable.
    pub(crate) async fn append(&self, rows: &Rows, interaction: InteractionId, events: Vec<Event>) {
        let stream = StreamId::Interaction(interaction);
        let last = self.store.last_seq(stream).unwrap();
        let records = events
            .into_iter()
            .enumerate()
            .map(|(i, event)| EventRecord {
                stream,
                seq: last + 1 + i as u64,
                at: Timestamp(self.clock.load(Ordering::Relaxed)),
                tenant: rows.tenant,
                event,
            });
        self.append_records(records.collect()).await;
    }

    pub(crate) async fn append_records(&self, records: Vec<EventRecord>) {
        let position = LogPosition(self.position.fetch_add(1, Ordering::SeqCst) + 1);
        let mut commits = self.engine.commits.subscribe();
        self.store.append(records, position).unwrap();
        commits.wait_for(|p| *p >= position).await.unwrap();
    }

    /// A client signed in as `role` of the tenant, by token.
    pub(crate) async fn as_role(&self, rows: &Rows, role: &str) -> Client {
        let session = self.sign_in(rows, role, "token").await;
        self.client.bearer(session["token"].as_str().unwrap())
    }

    pub(crate) async fn sign_in(&self, rows: &Rows, role: &str, kind: &str) -> Value {
        let body = json!({
            "login": role, "password": PASSWORD, "tenant": domain(rows.name), "kind": kind,
        });
        self.client.post("/v1/sessions", body).await.expect(201)
    }

    async fn fill(&self, r: &Rows) {
        let edit = Edit::new(r.tenant, Actor::System, Timestamp::from_secs(1_767_000_000));
        let changes = config(r).into_iter().map(Change::Create).collect();
        self.store.apply(edit, changes).unwrap();
        let contact = contact(r);
        let told = Event::ContactCame {
            contact: contact.id,
            point: contact.point,
            what: "callback".into(),
            mode: None,
        };
        self.store.contact_create(contact, told).unwrap();
        self.store.privacy_job_put(job(r)).unwrap();
        let recording = format!("{}.wav", r.name);
        let file = self._folder.path().join("recordings").join(&recording);
        std::fs::write(file, format!("{}{MARK} sound of a call", r.name)).unwrap();
        self.append(r, r.interaction, conversation(r, recording))
            .await;
        let mut owners = self.engine.owners.lock().unwrap();
        owners.insert(r.leg.to_string(), r.tenant);
        owners.insert(r.offer.to_string(), r.tenant);
    }
}

pub(crate) fn domain(name: &str) -> String {
    format!("{name}.example")
}

fn rows(name: &'static str, n: u128) -> Rows {
    let n = n << 64;
    let mut by_prefix = HashMap::new();
    macro_rules! id {
        ($t:ident, $add:literal) => {{
            let id = $t::from_u128(n + $add);
            by_prefix.insert($t::PREFIX, id.to_string());
            id
        }};
    }
    id!(NumberId, 1);
    id!(TrunkId, 1);
    id!(ConferenceId, 1);
    id!(WrapUpCodeId, 1);
    id!(PointId, 1);
    id!(ContactId, 1);
    id!(ScheduleId, 1);
    id!(CertificateId, 1);
    id!(BrandId, 1);
    id!(PictureId, 1);
    id!(ApiKeyId, 1);
    id!(RoleId, 1);
    id!(OAuthClientId, 1);
    id!(IdentityProviderId, 1);
    id!(PrivacyJobId, 1);
    id!(PersonId, 1);
    id!(CallerPartnerId, 1);
    id!(CredentialId, 1);
    id!(PrecallId, 1);
    Rows {
        name,
        tenant: id!(TenantId, 1),
        agent: id!(AgentId, 1),
        supervisor_agent: AgentId::from_u128(n + 2),
        agent_user: id!(UserId, 1),
        admin_user: UserId::from_u128(n + 3),
        queue: id!(QueueId, 1),
        skill: id!(SkillId, 1),
        phone: id!(PhoneId, 1),
        interaction: id!(InteractionId, 1),
        leg: id!(LegId, 1),
        offer: id!(OfferId, 1),
        recording: id!(RecordingId, 1),
        by_prefix,
    }
}

pub(crate) fn contact(r: &Rows) -> cp_store::Contact {
    cp_store::Contact {
        id: r.by_prefix["ctc"].parse().unwrap(),
        tenant: r.tenant,
        point: r.by_prefix["cpt"].parse().unwrap(),
        kind: cp_store::ContactKind::Callback,
        state: cp_store::ContactState::Open,
        created_at: Timestamp::from_secs(1_767_000_000),
        wanted: None,
        mode: None,
        asked: None,
        name: Some(Pii(format!("{}{MARK} customer", r.name))),
        number: Some(Pii("+15550002".into())),
        reply_to: None,
        text: None,
        at: None,
        context: Pii(json!({ "fields": {} })),
        interaction: None,
        agent: None,
        secret_hash: Pii([1; 32]),
    }
}

fn config(r: &Rows) -> Vec<cp_store::ConfigRow> {
    let marked = |what: &str| format!("{}{MARK} {what}", r.name);
    let id = |prefix: &str| r.by_prefix[prefix].clone();
    let user = |id: UserId, role: Role, login: &str| User {
        name: Pii(marked(login)),
        password_hash: Pii(PASSWORD_HASH.clone()),
        ..User::new(id, r.tenant, login, "", vec![role])
    };
    let supervisor = UserId::from_u128(r.agent_user.as_u128() + 1);
    let agent = |id, user, extension: &str, phone| Agent {
        id,
        tenant: r.tenant,
        user: Some(user),
        name: marked("agent"),
        extension: extension.into(),
        skills: vec![SkillLevel {
            skill: r.skill,
            level: 5,
        }],
        queues: vec![r.queue],
        phone,
        available_when_registered: false,
        wrap_up_ms: None,
    };
    let person = person::Person {
        id: id("per").parse().unwrap(),
        tenant: r.tenant,
        name: Pii(marked("person")),
        identities: vec![
            person::Identity::canonical(person::IdentityKind::Phone, "+15550100"),
            person::Identity::canonical(person::IdentityKind::Email, "ann@example.org"),
        ],
        fields: vec![person::Field {
            name: "balance".into(),
            label: marked("balance"),
            value: Pii(marked("1,234.56")),
            class: person::FieldClass::Secure,
        }],
        facts: Default::default(),
        photo: None,
        merged: vec![],
    };
    vec![
        Tenant {
            id: r.tenant,
            name: marked("tenant"),
            domain: domain(r.name),
            interactions_max: 0,
            record_by_default: false,
            suspended: false,
            presence_reasons: vec![],
            safety: Default::default(),
        }
        .into(),
        person.into(),
        proof::CallerPartner {
            id: id("cpa").parse().unwrap(),
            tenant: r.tenant,
            name: marked("partner"),
            secret: Pii("KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio".into()),
            person: None,
            open_max: 10,
            valid_s_max: 600,
            disabled: false,
        }
        .into(),
        user(r.agent_user, Role::Agent, "agent").into(),
        user(supervisor, Role::Supervisor, "supervisor").into(),
        user(r.admin_user, Role::Administrator, "administrator").into(),
        Skill {
            id: r.skill,
            tenant: r.tenant,
            name: marked("skill"),
        }
        .into(),
        Queue::with_defaults(r.queue, r.tenant, marked("queue")).into(),
        Phone {
            id: r.phone,
            tenant: r.tenant,
            user: "101".into(),
            ha1_md5: Pii("0".repeat(32)),
            ha1_sha256: Pii("0".repeat(64)),
            agent: Some(r.agent),
            name: marked("phone"),
            require_srtp: false,
            may_dial_out: false,
            forward: None,
            device: Default::default(),
        }
        .into(),
        agent(r.agent, r.agent_user, "101", Some(r.phone)).into(),
        agent(r.supervisor_agent, supervisor, "102", None).into(),
        Number {
            id: id("num").parse().unwrap(),
            tenant: r.tenant,
            number: "+15550001".into(),
            name: marked("number"),
            destination: Destination::Queue { queue: r.queue },
            public: r.name == "alpha",
            keep_identity: None,
        }
        .into(),
        Trunk {
            id: id("trk").parse().unwrap(),
            tenant: r.tenant,
            name: marked("trunk"),
            auth: TrunkAuth::Tls {
                name: marked("carrier"),
            },
            host: String::new(),
            transport: cp_vocab::net::Transport::Udp,
            user: String::new(),
            password: Pii("hunter2-very-secret".into()),
            register: false,
            rules: NumberRules::default(),
            codecs: vec![],
            health_interval_s: 0,
            channels_max: 0,
            srtp: false,
            dial_prefixes: vec![],
            may_dial_out: false,
            identity: cp_vocab::model::TrunkIdentity::default(),
        }
        .into(),
        Conference {
            id: id("cnf").parse().unwrap(),
            tenant: r.tenant,
            name: marked("room"),
            members_max: 10,
            record: false,
        }
        .into(),
        WrapUpCode {
            id: id("wuc").parse().unwrap(),
            tenant: r.tenant,
            name: marked("code"),
        }
        .into(),
        cp_store::CustomRole {
            id: id("rol").parse().unwrap(),
            tenant: r.tenant,
            name: marked("role"),
            description: marked("what for"),
            permissions: vec!["queues:read".into()],
        }
        .into(),
        cp_store::OAuthClient {
            id: id("ocl").parse().unwrap(),
            tenant: r.tenant,
            name: marked("client"),
            secrets: vec![],
            scopes: vec!["queues:read".into()],
            token_s: 3_600,
            disabled: false,
        }
        .into(),
        cp_store::IdentityProvider {
            id: id("idp").parse().unwrap(),
            tenant: r.tenant,
            name: marked("provider"),
            issuer: "https://login.example.com".into(),
            client_id: marked("client id"),
            client_secret: Pii(marked("client secret")),
            scopes: vec![],
            login_claim: "email".into(),
            roles_claim: String::new(),
            role_rules: vec![],
            default_roles: vec![],
            provision: false,
            link_by_login: false,
            disabled: true,
        }
        .into(),
        cp_store::Point {
            id: id("cpt").parse().unwrap(),
            tenant: r.tenant,
            name: marked("point"),
            kind: cp_store::PointKind::Page,
            destination: Destination::Queue { queue: r.queue },
            modes: vec![cp_store::Mode::Audio, cp_store::Mode::Chat],
            now: vec![cp_store::Mode::Audio],
            origins: vec![format!("https://{}.example", r.name)],
            fields: vec!["product".into()],
            consent: String::new(),
            title: String::new(),
            numbers: vec!["+15550001".into()],
            number_ttl_s: 600,
            disabled: false,
        }
        .into(),
        cp_vocab::schedule::Schedule {
            id: id("sch").parse().unwrap(),
            tenant: r.tenant,
            name: marked("hours"),
            time_zone: "Europe/Berlin".into(),
            week: vec![],
            special_days: vec![],
        }
        .into(),
        cp_vocab::model::IdentityCertificate {
            id: id("crt").parse().unwrap(),
            tenant: r.tenant,
            name: marked("certificate"),
            chain: String::new(),
            key: Pii("hunter2-very-secret".into()),
            url: String::new(),
        }
        .into(),
        Picture {
            id: id("pic").parse().unwrap(),
            tenant: r.tenant,
            name: marked("picture"),
            kind: PictureKind::Png,
            digest: "0".repeat(64),
            bytes: 1,
        }
        .into(),
        Brand {
            id: id("brd").parse().unwrap(),
            tenant: r.tenant,
            name: marked("brand"),
            reason: String::new(),
            picture: None,
            link: String::new(),
            incentive: None,
            numbers: vec![],
            disabled: false,
        }
        .into(),
        cp_store::ApiKey {
            id: id("key").parse().unwrap(),
            tenant: r.tenant,
            name: marked("key"),
            secret_hash: Pii([r.name.len() as u8; 32]),
            roles: vec![Role::Agent],
            scopes: vec![],
            created_at: Timestamp::ZERO,
            expires_at: None,
        }
        .into(),
    ]
}

/// An erasure that was done.
fn job(r: &Rows) -> PrivacyJob {
    PrivacyJob {
        id: r.by_prefix["pvj"].parse().unwrap(),
        tenant: r.tenant,
        kind: "erasure".into(),
        state: "done".into(),
        requested_by: r.admin_user.to_string(),
        request: Pii("{}".into()),
        total: 0,
        done: 0,
        counts: "{}".into(),
        certificate: None,
        created_at: Timestamp::from_secs(1_767_000_000),
        finished_at: Some(Timestamp::from_secs(1_767_000_000)),
    }
}

fn conversation(r: &Rows, recording: String) -> Vec<Event> {
    let marked = || Pii(Address::Sip(format!("sip:caller@{}{MARK}.example", r.name)));
    vec![
        Event::Started {
            direction: Direction::Inbound,
            from: marked(),
            from_name: None,
            to: marked(),
            uci: Uci::from_u128(1),
            number: None,
            trunk: None,
        },
        Event::OfferMade {
            offer: r.offer,
            agent: r.agent,
            queue: Some(r.queue),
            deadline: Timestamp::from_secs(1_767_000_020),
            explain: "longest idle".into(),
        },
        Event::LegAdded {
            leg: r.leg,
            role: LegRole::Agent,
            direction: Direction::Outbound,
            endpoint: Endpoint::Phone(r.phone),
            address: marked(),
            agent: Some(r.agent),
            call_id: "c1".into(),
            cause: None,
        },
        Event::LegAnswered {
            leg: r.leg,
            codec: Some("opus".into()),
            secure: true,
            dialog: Some("tags of the dialog".into()),
        },
        Event::RecordingStarted {
            recording: r.recording,
            left: r.leg,
            right: None,
            agent: None,
            path: recording,
        },
    ]
}
