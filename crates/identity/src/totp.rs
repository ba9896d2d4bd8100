//! Codes of an authenticator app: TOTP (RFC 6238) over HOTP (RFC 4226). A code is good once: the
//! caller keeps the step that was accepted and hands it in the next time.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use std::fmt::Write;

/// Steps looked at on either side of now at most: 30 s a step, so five minutes.
pub const WINDOW_STEPS_MAX: u64 = 10;
/// Bytes of a new seed. RFC 4226 4 wants 16 and recommends 20.
pub const SEED_BYTES: usize = 20;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
    fn word(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

/// Why a code was not accepted. To the person all of these are the one answer "wrong code".
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TotpError {
    #[error("a code has {0} digits")]
    Malformed(u32),
    #[error("the code is not the one of this time")]
    Wrong,
    #[error("the code was used before")]
    Replayed,
}

impl TotpError {
    /// Stable word for logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed(_) => "totp_malformed",
            Self::Wrong => "totp_wrong",
            Self::Replayed => "totp_replayed",
        }
    }
}

/// How codes are made. [`Totp::default`] is what every authenticator app knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Totp {
    pub algorithm: Algorithm,
    /// 6 to 9; others are taken as the nearest of these.
    pub digits: u32,
    /// Length of a step; 0 is taken as 1.
    pub period_s: u64,
    /// Steps accepted before and after the present one, at most [`WINDOW_STEPS_MAX`].
    pub window_steps: u64,
}

impl Default for Totp {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Sha1,
            digits: 6,
            period_s: 30,
            window_steps: 1,
        }
    }
}

impl Totp {
    fn digits(&self) -> u32 {
        self.digits.clamp(6, 9)
    }

    /// The step of a time in seconds since 1970.
    pub fn step(&self, now_s: u64) -> u64 {
        now_s / self.period_s.max(1)
    }

    /// The code of a step (RFC 4226 5.3).
    pub fn code(&self, seed: &[u8], step: u64) -> String {
        let key = hmac::Key::new(self.algorithm.hmac(), seed);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[tag.len() - 1] & 0x0f);
        let word: [u8; 4] = tag[at..at + 4]
            .try_into()
            .expect("a tag has 20 bytes or more");
        let number = u32::from_be_bytes(word) & 0x7fff_ffff;
        let digits = self.digits();
        let width = digits as usize;
        format!("{:0width$}", number % 10u32.pow(digits))
    }

    /// Checks what somebody typed; blanks in it do not count. Every step of the window is computed
    /// whatever the outcome, so that the time taken tells nothing.
    ///
    /// `last_step` is the step accepted before: it and older ones are refused.
    ///
    /// # Errors
    /// See [`TotpError`].
    pub fn verify(
        &self,
        seed: &[u8],
        typed: &str,
        now_s: u64,
        last_step: Option<u64>,
    ) -> Result<u64, TotpError> {
        let digits = self.digits();
        // More characters than digits with a blank between each are not looked at.
        let malformed = TotpError::Malformed(digits);
        if typed.len() > 2 * digits as usize {
            return Err(malformed);
        }
        let typed: String = typed.chars().filter(|c| *c != ' ').collect();
        if typed.len() != digits as usize || !typed.bytes().all(|b| b.is_ascii_digit()) {
            return Err(malformed);
        }
        let now = self.step(now_s);
        let window = self.window_steps.min(WINDOW_STEPS_MAX);
        let mut found = None;
        for step in now.saturating_sub(window)..=now.saturating_add(window) {
            let code = self.code(seed, step);
            if verify_slices_are_equal(code.as_bytes(), typed.as_bytes()).is_ok() {
                found = Some(step);
            }
        }
        match (found, last_step) {
            (None, _) => Err(TotpError::Wrong),
            (Some(step), Some(last)) if step <= last => Err(TotpError::Replayed),
            (Some(step), _) => Ok(step),
        }
    }

    /// The address an app reads from a picture: `otpauth://totp/Issuer:account?secret=…`.
    pub fn uri(&self, seed: &[u8], issuer: &str, account: &str) -> String {
        format!(
            "otpauth://totp/{i}:{}?secret={}&issuer={i}&algorithm={}&digits={}&period={}",
            percent(account),
            secret_text(seed),
            self.algorithm.word(),
            self.digits(),
            self.period_s.max(1),
            i = percent(issuer),
        )
    }
}

/// The seed as people type it into an app: base32 without padding (RFC 4648 6).
pub fn secret_text(seed: &[u8]) -> String {
    BASE32_NOPAD.encode(seed)
}

/// Reads [`secret_text`] back; case and blanks do not count.
pub fn secret_bytes(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| *c != ' ').collect();
    BASE32_NOPAD
        .decode(text.to_ascii_uppercase().as_bytes())
        .ok()
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            write!(out, "%{b:02X}").expect("invariant: a string takes what is written");
        }
        out
    })
}

#[cfg(test)]
mod tests;
