//! The keys that seal secrets in the database, and the commands about them and the audit log.

use crate::config::Config;
use crate::serve::make_data_folder;
use anyhow::{Context, Result, bail};
use cp_store::{Options, PageRequest, SqliteStore, Store, Vault};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The database file.
pub(crate) fn database(config: &Config) -> std::path::PathBuf {
    config.data.join("crosspoint.db")
}

/// Where the keys are when nothing else is said.
fn key_file(config: &Config) -> PathBuf {
    let beside = || config.data.join("secrets.key");
    config.secrets_key_file.clone().unwrap_or_else(beside)
}

/// The keys: from the environment, from the file named, or from the one in the data folder, which
/// is made at the first start.
///
/// # Errors
/// What is wrong with them and what to do.
pub(crate) fn vault(config: &Config) -> Result<Vault> {
    if !config.secrets_key.is_empty() {
        return Vault::parse(&config.secrets_key).context("secrets.key (CROSSPOINT_SECRETS_KEY)");
    }
    let path = key_file(config);
    if !path.exists() {
        if config.secrets_key_file.is_some() {
            bail!(
                "secrets.key_file names {}, which is not there; `crosspoint secrets new-key` prints a key to put into it",
                path.display()
            );
        }
        if database(config).exists() && sealed(config)? {
            bail!(
                "{} is missing, and the database holds secrets that only its keys open: restore it from where you keep it, \
                 or name another file in secrets.key_file",
                path.display()
            );
        }
        write_new(&path, &Vault::new_key()?)?;
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the keys in {}", path.display()))?;
    Vault::parse(&text).with_context(|| format!("the keys in {}", path.display()))
}

/// Whether something in the database needs a key.
fn sealed(config: &Config) -> Result<bool> {
    match SqliteStore::open(&Options::at(database(config))) {
        Ok(_) => Ok(false),
        Err(cp_store::StoreError::KeyMissing { .. }) => Ok(true),
        Err(e) => Err(e.into()),
    }
}

fn write_new(path: &Path, key: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    write!(
        file,
        "# Seals the secrets in the database. Keep a copy apart from its backups: without it they cannot be opened.\n{key}\n"
    )
    .and_then(|()| file.sync_all())
    .with_context(|| format!("cannot write {}", path.display()))
}

/// On an empty database whoever reads this line makes the first person.
pub(crate) fn setup_token(store: &dyn Store) -> Result<Option<String>> {
    if !store.tenants(&PageRequest::first(1))?.items.is_empty() {
        return Ok(None);
    }
    let mut random = [0u8; cp_api::SETUP_TOKEN_BYTES];
    aws_lc_rs::rand::fill(&mut random)
        .map_err(|_| anyhow::anyhow!("the operating system gives no random numbers"))?;
    let token: String = random.iter().map(|b| format!("{b:02x}")).collect();
    // On standard error and not in the log: logs are read by more people than terminals.
    eprintln!("There is nobody yet. Open the desktop, or POST /v1/setup, with this token: {token}");
    Ok(Some(token))
}

/// `crosspoint secrets new-key`.
pub fn new_key() -> Result<()> {
    println!("{}", Vault::new_key()?);
    Ok(())
}

fn open(config: &Config, vault: Vault) -> Result<SqliteStore> {
    make_data_folder(&config.data)?;
    let options = Options {
        vault: Some(Arc::new(vault)),
        ..Options::at(database(config))
    };
    Ok(SqliteStore::open(&options)?)
}

/// `crosspoint secrets status`: which key sealed how much.
pub fn status(config: &Config) -> Result<()> {
    let vault = vault(config)?;
    let active = vault.active().to_string();
    let store = open(config, vault)?;
    for (key, rows) in store.secrets_census()? {
        let what = match key.as_str() {
            "" => "not sealed",
            k if k == active => "the present key",
            _ => "an older key; `crosspoint secrets rotate` replaces it",
        };
        println!("{rows:>8} rows  {key:8}  {what}");
    }
    Ok(())
}

/// `crosspoint secrets rotate`: seals everything with a new key. With a key file the new key is
/// put in front of it; with keys from the environment the first of them is taken.
pub fn rotate(config: &Config) -> Result<()> {
    let mut vault = vault(config)?;
    let path = key_file(config);
    if config.secrets_key.is_empty() {
        let text = std::fs::read_to_string(&path)?;
        let text = format!("{}\n{text}", Vault::new_key()?);
        vault = Vault::parse(&text)?;
        replace(&path, &text)?;
    }
    let active = vault.active().to_string();
    let store = open(config, vault)?;
    let rows = store.rotate_secrets()?;
    println!("{rows} rows are sealed with key {active} now.");
    if config.secrets_key.is_empty() {
        println!(
            "Keep a copy of {}. Older lines of it are needed only for older backups.",
            path.display()
        );
    }
    Ok(())
}

/// Puts the file in place whole, so that no key is lost half way.
fn replace(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("new");
    let doing = || format!("cannot write {}", beside.display());
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .with_context(doing)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(doing)?;
    std::fs::rename(&beside, path).with_context(|| format!("cannot replace {}", path.display()))?;
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        File::open(folder)
            .and_then(|f| f.sync_all())
            .with_context(doing)?;
    }
    Ok(())
}

/// `crosspoint audit verify`: walks every tenant's chain. `expect` is a head noted earlier.
pub fn verify_audit(config: &Config, expect: Option<&str>) -> Result<()> {
    let store = open(config, vault(config)?)?;
    let mut bad = 0;
    let mut seen = expect.is_none();
    for tenant in store.audit_tenants()? {
        let verdict = store.audit_verify(tenant)?;
        let found = match &verdict.fault {
            None => "sound".to_string(),
            Some(fault) => {
                bad += 1;
                format!("BROKEN: {fault} ({})", fault.code())
            }
        };
        seen |= expect.is_some_and(|e| e.eq_ignore_ascii_case(&verdict.head));
        println!(
            "{tenant}  {:>8} entries  head {}  {found}",
            verdict.entries, verdict.head
        );
    }
    if bad > 0 {
        bail!("{bad} audit log(s) were tampered with");
    }
    if !seen {
        bail!("no audit log ends at the head you expect: entries were added since, or taken away");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn config(folder: &Path, env: &[(&str, &str)]) -> Config {
        let data = ("CROSSPOINT_DATA".to_string(), folder.display().to_string());
        let env = env.iter().map(|(a, b)| (a.to_string(), b.to_string()));
        Config::load("", env.chain([data])).unwrap()
    }

    #[test]
    fn the_first_start_makes_a_key_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let c = config(folder.path(), &[]);
        let first = vault(&c).unwrap();
        let file = folder.path().join("secrets.key");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(vault(&c).unwrap(), first);
    }

    #[test]
    fn a_key_that_is_gone_is_told_and_no_new_one_made() {
        let folder = tempfile::tempdir().unwrap();
        let c = config(folder.path(), &[]);
        let mut ids = cp_vocab::IdSource::from_u64(1);
        let now = cp_vocab::Timestamp::from_secs(1_767_000_000);
        let store = open(&c, vault(&c).unwrap()).unwrap();
        let file = r#"{ "tenants": [ { "name": "House" } ] }"#;
        crate::provision::apply(&store, file, &mut ids, now).unwrap();
        drop(store);
        std::fs::remove_file(folder.path().join("secrets.key")).unwrap();
        let refused = vault(&c).unwrap_err().to_string();
        assert!(refused.contains("restore it"), "{refused}");
        assert!(!folder.path().join("secrets.key").exists());
        let other = Vault::new_key().unwrap();
        let c = config(folder.path(), &[("CROSSPOINT_SECRETS_KEY", &other)]);
        let refused = open(&c, vault(&c).unwrap()).err().unwrap().to_string();
        assert!(refused.contains("secrets.key_file"), "{refused}");
    }

    #[test]
    fn keys_are_replaced_by_a_command() {
        let folder = tempfile::tempdir().unwrap();
        let c = config(folder.path(), &[]);
        let before = vault(&c).unwrap();
        rotate(&c).unwrap();
        let after = vault(&c).unwrap();
        assert_ne!(before.active(), after.active());
        assert!(after.ids().any(|id| id == before.active()));
        verify_audit(&c, None).unwrap();
        assert!(verify_audit(&c, Some("00")).is_err());
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let c = config(
            folder.path(),
            &[("CROSSPOINT_SECRETS_KEY_FILE", "/nowhere/key")],
        );
        let refused = vault(&c).unwrap_err().to_string();
        assert!(refused.contains("new-key"), "{refused}");
        let c = config(folder.path(), &[("CROSSPOINT_SECRETS_KEY", "short")]);
        assert!(vault(&c).is_err());
    }
}
