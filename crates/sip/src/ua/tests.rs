//! Two user agents back to back under virtual time, over a network that loses and reorders.

mod calls;
mod dialogs;
mod hostile;
mod registration;
mod world;
