//! Recordings as operations on a file, carried out by the shell's writer thread.

use crate::wav;

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

/// Frames of 20 ms between two `Append`s: what a crash of the process can lose.
const APPEND_FRAMES: u64 = 10;
/// Frames between two `PatchHeader`s.
const PATCH_FRAMES: u64 = 50;
/// Most sample bytes of one file (WAV sizes are 32 bits); a recording that reaches it ends. 37 hours
/// at 8 kHz.
pub const DATA_MAX: u64 = 4_000_000_000;

/// The two channels of one recording on their way to a file.
pub struct Recorder {
    rate_hz: u32,
    frames: u64,
    written: u64,
    buffer: Vec<u8>,
}

impl Recorder {
    /// A recorder and the operation that creates its file.
    pub fn new(path: String, rate_hz: u32) -> (Self, WriteOp) {
        let header = wav::header(2, rate_hz, 0).to_vec();
        let recorder = Self {
            rate_hz,
            frames: 0,
            written: 0,
            buffer: Vec::new(),
        };
        (recorder, WriteOp::Create { path, header })
    }

    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    pub fn duration_ms(&self) -> u64 {
        self.frames * 20
    }

    /// Adds one frame of 20 ms; a channel shorter than that is filled with silence. Returns whether
    /// the file has room for more.
    pub fn frame(&mut self, left: &[i16], right: &[i16], mut write: impl FnMut(WriteOp)) -> bool {
        let len = (self.rate_hz / 50) as usize;
        self.buffer.reserve(len * 4);
        for i in 0..len {
            let l = left.get(i).copied().unwrap_or(0).to_le_bytes();
            let r = right.get(i).copied().unwrap_or(0).to_le_bytes();
            self.buffer.extend_from_slice(&[l[0], l[1], r[0], r[1]]);
        }
        self.frames += 1;
        if self.frames.is_multiple_of(APPEND_FRAMES) {
            self.flush(&mut write);
        }
        if self.frames.is_multiple_of(PATCH_FRAMES) {
            write(self.patch());
        }
        self.written + (self.buffer.len() as u64) < DATA_MAX
    }

    fn flush(&mut self, write: &mut impl FnMut(WriteOp)) {
        if !self.buffer.is_empty() {
            self.written += self.buffer.len() as u64;
            write(WriteOp::Append(std::mem::take(&mut self.buffer)));
        }
    }

    fn patch(&self) -> WriteOp {
        WriteOp::PatchHeader(wav::header(2, self.rate_hz, self.written as u32).to_vec())
    }

    /// Writes what is left and closes the file.
    pub fn finish(&mut self, mut write: impl FnMut(WriteOp)) {
        self.flush(&mut write);
        write(self.patch());
        write(WriteOp::Finish);
    }
}
