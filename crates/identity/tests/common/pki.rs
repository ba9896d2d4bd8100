//! A small certificate authority for tests.

use cp_identity::Fault;
use cp_identity::certificate::{Credential, Trust};
use cp_identity::passport::sign::Signer;
use cp_identity::tnauth::TnAuthList;
use cp_identity::verify::{Directory, Lookup};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::collections::HashMap;

pub const TN_AUTH_LIST: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 26];

pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        n @ 0..=0x7f => out.push(n as u8),
        n @ 0x80..=0xff => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend_from_slice(content);
    out
}

pub fn spc_list(code: &str) -> Vec<u8> {
    tlv(0x30, &tlv(0xa0, &tlv(0x16, code.as_bytes())))
}

pub fn number_list(number: &str) -> Vec<u8> {
    tlv(0x30, &tlv(0xa2, &tlv(0x16, number.as_bytes())))
}

pub struct Authority {
    pub issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    pub key_der: Vec<u8>,
}

impl Authority {
    pub fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = Self::params(name);
        let pem = params.self_signed(&key).unwrap().pem();
        let key_der = key.serialize_der();
        Self {
            issuer: Issuer::new(params, key),
            pem,
            key_der,
        }
    }

    pub fn below(&self, name: &str, scope: Option<Vec<u8>>) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = Self::params(name);
        params.use_authority_key_identifier_extension = true;
        if let Some(list) = scope {
            params
                .custom_extensions
                .push(CustomExtension::from_oid_content(TN_AUTH_LIST, list));
        }
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        let key_der = key.serialize_der();
        Self {
            issuer: Issuer::new(params, key),
            pem,
            key_der,
        }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    /// PEM and private key of an end entity; `change` may spoil it.
    pub fn leaf(
        &self,
        name: &str,
        list: Vec<u8>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(vec![0x11, 0x22, 0x33].into());
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(TN_AUTH_LIST, list));
        change(&mut params);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        (pem, key.serialize_der())
    }
}

/// One provider with a certificate under a root, and a directory that knows it.
pub struct World {
    pub root: Authority,
    pub trust: Trust,
    pub signers: Vec<Signer>,
    pub credentials: HashMap<String, Result<Credential, Fault>>,
    pub holders: HashMap<String, String>,
}

impl World {
    pub fn new() -> Self {
        let root = Authority::root("Root");
        let trust = Trust::new(&root.pem).unwrap();
        let mut world = Self {
            root,
            trust,
            signers: Vec::new(),
            credentials: HashMap::new(),
            holders: HashMap::new(),
        };
        world.add("SHAKEN 709J", spc_list("709J"));
        world.add("SHAKEN 810K", spc_list("810K"));
        world
    }

    /// A signer at `https://cert.example.org/<n>.pem`.
    pub fn add(&mut self, name: &str, list: Vec<u8>) -> usize {
        let n = self.signers.len();
        let x5u = format!("https://cert.example.org/{n}.pem");
        let scope = TnAuthList::parse(&list).unwrap();
        let (pem, key) = self.root.leaf(name, list, |_| {});
        self.signers
            .push(Signer::from_pkcs8(&key, &x5u, scope).unwrap());
        self.credentials
            .insert(x5u, Credential::read(pem.as_bytes(), &self.trust));
        n
    }
}

impl Directory for World {
    fn credential(&self, x5u: &str) -> Lookup<'_> {
        match self.credentials.get(x5u) {
            Some(Ok(c)) => Lookup::Ready(c),
            Some(Err(f)) => Lookup::Failed(*f),
            None => Lookup::Failed(Fault::FetchFailed),
        }
    }
    fn holder(&self, number: &str) -> Option<&str> {
        self.holders.get(number).map(String::as_str)
    }
}
