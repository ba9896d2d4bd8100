//! A program under test or a client: started with a log file, ended when dropped.

use crate::wait;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long a program may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// Log shown in a failure, in bytes from its end.
const LOG_SHOWN: usize = 6_000;

pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    polite: bool,
}

impl Process {
    /// Starts `command` with output to `<folder>/<name>.log`.
    ///
    /// # Panics
    /// When it does not start; says which package brings it.
    pub fn start(name: &str, folder: &Path, command: &mut Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file in a folder of our own");
        let second = file.try_clone().expect("a second handle of the log");
        command.stdin(Stdio::null()).stdout(file).stderr(second);
        // A group of its own, so that children of children end with it.
        command.process_group(0);
        let child = command.spawn().unwrap_or_else(|e| {
            panic!("{name} does not start ({e}): {command:?}; scripts/setup installs the clients")
        });
        Self {
            name: name.to_string(),
            child,
            log,
            polite: true,
        }
    }

    /// Dropping it kills it at once; for clients that take their time to say good-bye.
    pub fn impolite(mut self) -> Self {
        self.polite = false;
        self
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All it has printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The end of [`Self::log`], for messages.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let from = log.len().saturating_sub(LOG_SHOWN);
        let from = (from..=log.len())
            .find(|i| log.is_char_boundary(*i))
            .unwrap_or(0);
        format!("--- {} ---\n{}", self.name, &log[from..])
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes longer than `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("end of {} (log in {})", self.name, self.log.display());
        wait::until_within(limit, &what, || self.child.try_wait().ok().flatten())
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    /// SIGHUP: it reads its files again.
    pub fn reload(&self) {
        self.signal(libc::SIGHUP);
    }

    /// SIGKILL to it and its children, and waits until it is gone.
    pub fn kill(&mut self) {
        if self.is_running() {
            self.signal(libc::SIGKILL);
        }
        let _ = self.child.wait();
    }

    #[expect(unsafe_code, reason = "std has no way to signal a group")]
    fn signal(&self, signal: i32) {
        // SAFETY: `killpg` takes no pointers; the group is that of our own child, not yet waited for.
        unsafe { libc::killpg(self.child.id() as libc::pid_t, signal) };
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.polite && self.is_running() {
            self.terminate();
            let end = std::time::Instant::now() + GRACE;
            while self.is_running() && std::time::Instant::now() < end {
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.log_tail());
        }
    }
}
