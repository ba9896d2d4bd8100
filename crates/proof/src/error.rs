use cp_store::StoreError;
use cp_vocab::{Code, Refusal};

pub type Result<T, E = ProofError> = std::result::Result<T, E>;

/// Why something about a customer's proof was not done. [`ProofError::code`] is stable.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error("there is no customer record for this caller; say who it is first")]
    NoPerson,
    #[error("there is nothing of this kind")]
    NotFound,
    #[error("the interaction has ended, and its proof with it")]
    Ended,
    /// Whatever the reason: wrong, unknown, used, of another call.
    #[error("this proves nothing here")]
    NotProven,
    #[error("too many wrong tries; wait, or use another way")]
    Locked { wait_s: u64 },
    #[error("the customer has no {0} to prove itself with")]
    NoCredential(&'static str),
    #[error("{0}")]
    Unfit(&'static str),
    #[error("no way to send messages is set up; see docs/proof.md")]
    NoMessages,
    #[error("the message could not be sent: {0}")]
    Message(String),
    #[error(transparent)]
    Engine(#[from] Refusal),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a key or random bytes could not be made")]
    Crypto,
}

impl ProofError {
    pub fn code(&self) -> Code {
        match self {
            Self::NoPerson | Self::NotFound => Code::NotFound,
            Self::Ended => Code::InteractionEnded,
            Self::NotProven => Code::Forbidden,
            Self::Locked { .. } => Code::TooManyRequests,
            Self::NoCredential(_) => Code::Conflict,
            Self::Unfit(_) => Code::BadRequest,
            Self::NoMessages | Self::Message(_) => Code::Conflict,
            Self::Engine(r) => r.code,
            Self::Store(_) | Self::Crypto => Code::Internal,
        }
    }
}
