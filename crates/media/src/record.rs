//! Recordings as operations on a file, carried out by the shell's writer thread.

/// One step on a recording's file; steps of one recording are carried out in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WriteOp {
    /// Create the file (directories too) and write the header.
    Create { path: String, header: Vec<u8> },
    /// Append at the end.
    Append(Vec<u8>),
    /// Overwrite from offset 0 with as many bytes; the file is a whole WAV after it.
    PatchHeader(Vec<u8>),
    /// Close the file; nothing follows.
    Finish,
}
