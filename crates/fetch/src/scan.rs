//! Asks a virus scanner, by the `INSTREAM` command of ClamAV's daemon, which others speak too. The
//! operator names it, so its address may be in the house.

use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// Time for everything; a scanner that needs longer counts as out of reach.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Bytes sent at a time.
const CHUNK: usize = 64 * 1024;
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// Where the scanner listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scanner {
    /// `host:port`, or the path of a Unix socket.
    address: String,
}

/// What it says of some bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scan {
    Clean,
    /// The name of what was found.
    Found(String),
}

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("the virus scanner cannot be reached")]
    Unreachable(#[source] std::io::Error),
    #[error("the virus scanner did not answer within {} s", TIME_MAX.as_secs())]
    Slow,
    #[error("the virus scanner could not look at it: {0}")]
    Refused(String),
}

impl Scanner {
    /// `None` for an empty address: there is no scanner.
    pub fn at(address: &str) -> Option<Self> {
        let address = address.trim().to_string();
        (!address.is_empty()).then_some(Self { address })
    }

    /// # Errors
    /// It is out of reach, slow, or could not look at the bytes: nobody knows what they are.
    pub async fn scan(&self, bytes: &[u8]) -> Result<Scan, ScanError> {
        let asked = async {
            if self.address.starts_with('/') {
                ask(UnixStream::connect(&self.address).await?, bytes).await
            } else {
                ask(TcpStream::connect(&self.address).await?, bytes).await
            }
        };
        let answer = tokio::time::timeout(TIME_MAX, asked).await;
        let answer = answer.map_err(|_| ScanError::Slow)?;
        judged(&answer.map_err(ScanError::Unreachable)?)
    }
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    bytes: &[u8],
) -> std::io::Result<String> {
    stream.write_all(b"zINSTREAM\0").await?;
    for chunk in bytes.chunks(CHUNK) {
        stream.write_u32(chunk.len() as u32).await?;
        stream.write_all(chunk).await?;
    }
    stream.write_u32(0).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// `stream: OK`, `stream: Eicar-Test-Signature FOUND`, or words that end in `ERROR`.
fn judged(answer: &str) -> Result<Scan, ScanError> {
    let line = answer.trim_matches(['\0', '\n', '\r', ' ']);
    let said = line.strip_prefix("stream: ").unwrap_or(line);
    if line == "stream: OK" {
        return Ok(Scan::Clean);
    }
    match said.strip_suffix(" FOUND") {
        Some(name) => Ok(Scan::Found(name.to_string())),
        None => Err(ScanError::Refused(said.chars().take(100).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_is_clean() {
        assert_eq!(judged("stream: OK\0").unwrap(), Scan::Clean);
        let found = judged("stream: Win.Test.EICAR_HDB-1 FOUND\0").unwrap();
        assert_eq!(found, Scan::Found("Win.Test.EICAR_HDB-1".into()));
        for odd in [
            "",
            "OK",
            "INSTREAM size limit exceeded. ERROR\0",
            "stream: OK and more",
            "stream:",
        ] {
            assert!(matches!(judged(odd), Err(ScanError::Refused(_))), "{odd}");
        }
    }
}
