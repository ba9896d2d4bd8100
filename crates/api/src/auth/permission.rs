//! What may be done (`resource:action`) and which role may do it.

use cp_store::Role;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

macro_rules! permissions {
    ($($name:ident = $word:literal [$($role:ident)*] $what:literal;)*) => {
        /// One thing that may be allowed. The words are stable; API keys name them as scopes.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum Permission { $($name,)* }
        impl Permission {
            pub const ALL: &'static [Permission] = &[$(Permission::$name,)*];
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $word,)* } }
            /// One line for people.
            pub fn what(self) -> &'static str { match self { $(Self::$name => $what,)* } }
            fn roles(self) -> &'static [Role] { match self { $(Self::$name => &[$(Role::$role,)*],)* } }
        }
    };
}

permissions! {
    TenantRead = "tenant:read" [Agent Supervisor Administrator Operator] "See the tenant's own settings";
    TenantWrite = "tenant:write" [Administrator Operator] "Change them";
    UsersRead = "users:read" [Supervisor Administrator Operator] "See who can sign in";
    UsersWrite = "users:write" [Administrator Operator] "Make, change and remove people";
    ApiKeysRead = "api-keys:read" [Administrator Operator] "See keys (never their secrets)";
    ApiKeysWrite = "api-keys:write" [Administrator Operator] "Make and remove keys";
    AgentsRead = "agents:read" [Agent Supervisor Administrator Operator] "See agents";
    AgentsWrite = "agents:write" [Administrator Operator] "Make, change and remove agents";
    QueuesRead = "queues:read" [Agent Supervisor Administrator Operator] "See queues";
    QueuesWrite = "queues:write" [Administrator Operator] "Make, change and remove queues";
    SkillsRead = "skills:read" [Agent Supervisor Administrator Operator] "See skills";
    SkillsWrite = "skills:write" [Administrator Operator] "Make, change and remove skills";
    NumbersRead = "numbers:read" [Agent Supervisor Administrator Operator] "See numbers and where they lead";
    NumbersWrite = "numbers:write" [Administrator Operator] "Make, change and remove numbers";
    TrunksRead = "trunks:read" [Supervisor Administrator Operator] "See trunks and their health";
    TrunksWrite = "trunks:write" [Administrator Operator] "Make, change and remove trunks";
    IdentityRead = "identity:read" [Supervisor Administrator Operator] "See certificates for numbers, and how calls were proven and forwarded";
    IdentityWrite = "identity:write" [Administrator Operator] "Make, change and remove certificates for numbers";
    PhonesRead = "phones:read" [Supervisor Administrator Operator] "See phones";
    PhonesReadOwn = "phones:read-own" [Agent] "See one's own phone";
    PhonesWrite = "phones:write" [Administrator Operator] "Make, change and remove phones";
    ConferencesRead = "conferences:read" [Agent Supervisor Administrator Operator] "See conference rooms";
    ConferencesWrite = "conferences:write" [Administrator Operator] "Make, change and remove conference rooms";
    WrapUpCodesRead = "wrap-up-codes:read" [Agent Supervisor Administrator Operator] "See wrap-up codes";
    WrapUpCodesWrite = "wrap-up-codes:write" [Administrator Operator] "Make, change and remove wrap-up codes";
    InteractionsRead = "interactions:read" [Supervisor Administrator Operator] "See all interactions and their trails";
    InteractionsReadOwn = "interactions:read-own" [Agent] "See interactions one took part in";
    RecordingsRead = "recordings:read" [Supervisor Administrator Operator] "List and hear recordings";
    CallsControl = "calls:control" [Supervisor Administrator Operator] "Command any call";
    CallsControlOwn = "calls:control-own" [Agent] "Command the calls one is in, and dial";
    CallsOriginate = "calls:originate" [Administrator Operator] "Place calls that lead to a destination";
    OffersAnswer = "offers:answer" [Agent Supervisor Administrator] "Accept and reject offers made to oneself";
    PresenceSet = "presence:set" [Supervisor Administrator Operator] "Set anybody's presence";
    PresenceSetOwn = "presence:set-own" [Agent] "Set one's own presence";
    SuperviseListen = "supervise:listen" [Supervisor Administrator] "Listen to calls";
    SuperviseWhisper = "supervise:whisper" [Supervisor Administrator] "Speak to the agent alone";
    SuperviseBarge = "supervise:barge" [Supervisor Administrator] "Speak to all";
    SuperviseTakeOver = "supervise:take-over" [Supervisor Administrator] "Take the agent's place";
    PointsRead = "points:read" [Agent Supervisor Administrator Operator] "See communication points";
    PointsWrite = "points:write" [Administrator Operator] "Make, change and remove communication points, assign their numbers";
    PointsNow = "points:now" [Agent Supervisor Administrator Operator] "Say what a communication point takes now";
    ContactsRead = "contacts:read" [Agent Supervisor Administrator Operator] "See callback requests and messages";
    ContactsHandle = "contacts:handle" [Agent Supervisor Administrator Operator] "Call back, answer, put aside";
    LiveRead = "live:read" [Supervisor Administrator Operator] "See live state of everything";
    LiveReadOwn = "live:read-own" [Agent] "See live state of agents, queues and one's own interactions";
    EventsRead = "events:read" [Supervisor Administrator Operator] "Follow all events of the tenant";
    EventsReadOwn = "events:read-own" [Agent] "Follow events that concern oneself";
    RolesRead = "roles:read" [Supervisor Administrator Operator] "See roles and what they allow";
    RolesWrite = "roles:write" [Administrator Operator] "Make, change and remove roles of the tenant";
    OAuthClientsRead = "oauth-clients:read" [Administrator Operator] "See OAuth 2 clients (never their secrets)";
    OAuthClientsWrite = "oauth-clients:write" [Administrator Operator] "Make, change and remove OAuth 2 clients";
    IdentityProvidersRead = "identity-providers:read" [Administrator Operator] "See how people sign in elsewhere";
    IdentityProvidersWrite = "identity-providers:write" [Administrator Operator] "Connect identity providers";
    ScimManage = "scim:manage" [Administrator Operator] "Provision people by SCIM";
    AuditRead = "audit:read" [Administrator Operator] "See, verify and export who did what";
    TenantsRead = "tenants:read" [Operator] "See all tenants";
    TenantsWrite = "tenants:write" [Operator] "Make, limit and suspend tenants";
    PersonsRead = "persons:read" [Supervisor Administrator Operator] "See customers' records whole";
    PersonsWrite = "persons:write" [Administrator Operator] "Make, change, merge and remove customers, and what they prove themselves with";
    ProofsRead = "proofs:read" [Supervisor Administrator Operator] "See the customer and the proof of any interaction";
    ProofsReadOwn = "proofs:read-own" [Agent] "See the customer and the proof of one's own interactions";
    ProofsAsk = "proofs:ask" [Supervisor Administrator] "Ask the customer of any interaction for proof";
    ProofsAskOwn = "proofs:ask-own" [Agent] "Ask the customer of one's own interactions for proof";
    ProofPolicyRead = "proof-policy:read" [Supervisor Administrator Operator] "See the rules of proof";
    ProofPolicyWrite = "proof-policy:write" [Administrator Operator] "Change the rules of proof";
    PrecallsRead = "precalls:read" [Supervisor Administrator Operator] "See announced calls and who may announce";
    PrecallsWrite = "precalls:write" [Administrator Operator] "Let others announce calls, and take announcements back";
    PrecallsSend = "precalls:send" [Supervisor Administrator Operator] "Announce calls of the house to those who will be called";
    OutboundRead = "outbound:read" [Supervisor Administrator Operator] "See the rules for outgoing calls and what is spent";
    OutboundWrite = "outbound:write" [Administrator Operator] "Change them, lift limits for a while";
    EmergencyRead = "emergency:read" [Supervisor Administrator Operator] "See where emergency calls go";
    EmergencyWrite = "emergency:write" [Administrator] "Change it, ask and agree that they go live";
    PrivacyRead = "privacy:read" [Supervisor Administrator Operator] "See how long things are kept, consents and erasures";
    PrivacyWrite = "privacy:write" [Administrator] "Change it, erase people";
    ConsentsWrite = "consents:write" [Agent Supervisor Administrator] "Write down what customers agree to, and take back";
    NodeDrain = "node:drain" [Operator] "Drain this node before a restart";
    NodeBans = "node:bans" [Operator] "See and change which SIP sources are banned";
    NodeKeys = "node:keys" [Operator] "Renew the keys that sign customers' proofs";
    MetricsRead = "metrics:read" [Operator] "Read metrics from afar";
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL
            .iter()
            .copied()
            .find(|p| p.as_str() == s)
            .ok_or(())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Permissions(u128);

const _: () = assert!(Permission::ALL.len() <= 128, "the set is one word");

impl Permissions {
    pub fn of_roles(roles: &[Role]) -> Self {
        Permission::ALL
            .iter()
            .filter(|p| p.roles().iter().any(|r| roles.contains(r)))
            .copied()
            .collect()
    }
    pub fn has(self, p: Permission) -> bool {
        self.0 & (1 << p as u64) != 0
    }
    pub fn has_any(self, of: &[Permission]) -> bool {
        of.iter().any(|p| self.has(*p))
    }
    pub fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Whether somebody with these may hand out `other`: nobody gives what they do not have. Who
    /// may do a thing to all may give the right to do it to one's own; who makes tenants makes
    /// their administrators.
    pub fn may_grant(self, other: Self) -> bool {
        if self.has(Permission::TenantsWrite) {
            return true;
        }
        let held = |p: Permission| {
            let all = p
                .as_str()
                .strip_suffix("-own")
                .and_then(|all| all.parse().ok());
            self.has(p) || all.is_some_and(|all| self.has(all))
        };
        other.iter().all(held)
    }
    /// Both together.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .iter()
            .copied()
            .filter(move |p| self.has(*p))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(iter: I) -> Self {
        Self(iter.into_iter().fold(0, |set, p| set | 1 << p as u64))
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter().map(Permission::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_hold_what_their_work_needs_and_no_more() {
        let agent = Permissions::of_roles(&[Role::Agent]);
        let supervisor = Permissions::of_roles(&[Role::Supervisor]);
        let administrator = Permissions::of_roles(&[Role::Administrator]);
        assert!(agent.has(Permission::OffersAnswer) && agent.has(Permission::CallsControlOwn));
        for p in [
            Permission::CallsControl,
            Permission::InteractionsRead,
            Permission::SuperviseListen,
            Permission::UsersRead,
            Permission::QueuesWrite,
        ] {
            assert!(!agent.has(p), "{p}");
        }
        assert!(supervisor.has(Permission::SuperviseBarge));
        assert!(!supervisor.has(Permission::UsersWrite));
        assert!(administrator.has(Permission::UsersWrite));
        assert!(
            !administrator.has(Permission::NodeDrain),
            "a tenant may not drain the node"
        );
    }

    #[test]
    fn nobody_grants_what_they_do_not_have() {
        let of = |role| Permissions::of_roles(&[role]);
        let order = [
            Role::Agent,
            Role::Supervisor,
            Role::Administrator,
            Role::Operator,
        ];
        for (i, granter) in order.into_iter().enumerate() {
            for (j, granted) in order.into_iter().enumerate() {
                let may = of(granter).may_grant(of(granted));
                assert_eq!(may, j <= i, "{granter:?} {granted:?}");
            }
        }
        let one = |p| Permissions::from_iter([p]);
        assert!(one(Permission::LiveRead).may_grant(one(Permission::LiveReadOwn)));
        assert!(!one(Permission::LiveReadOwn).may_grant(one(Permission::LiveRead)));
    }

    #[test]
    fn words_parse_back() {
        for p in Permission::ALL {
            assert_eq!(p.as_str().parse(), Ok(*p));
        }
        assert_eq!("calls:steal".parse::<Permission>(), Err(()));
    }
}
