//! The thread that writes recordings. Its queue is bounded in bytes; a step that fails or does not
//! fit ends its recording, never a call.

use super::inbox::{Inbox, Order};
use cp_media::WriteOp;
use cp_vocab::RecordingId;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// One step, and the worker to tell when it fails.
struct Step {
    worker: u16,
    recording: RecordingId,
    op: WriteOp,
}

#[derive(Default)]
struct Waiting {
    steps: VecDeque<Step>,
    bytes: usize,
    stop: bool,
}

/// What workers and the writer share.
pub(super) struct WriteQueue {
    waiting: Mutex<Waiting>,
    news: Condvar,
    bytes_max: usize,
}

impl WriteQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leave a step. `false` when the queue is full: the file is closed as it is, and the
    /// recording is to end.
    pub(super) fn put(&self, worker: u16, recording: RecordingId, op: WriteOp) -> bool {
        let mut waiting = self.lock();
        let bytes = weight(&op);
        let fits = bytes == 0 || waiting.bytes + bytes <= self.bytes_max;
        let op = if fits { op } else { WriteOp::Finish };
        waiting.bytes += weight(&op);
        waiting.steps.push_back(Step {
            worker,
            recording,
            op,
        });
        if waiting.steps.len() == 1 {
            self.news.notify_one();
        }
        fits
    }
}

/// What a step counts against the limit; closing is free, or it could not be said when full.
fn weight(op: &WriteOp) -> usize {
    match op {
        WriteOp::Create { path, header } => path.len() + header.len(),
        WriteOp::Append(bytes) | WriteOp::PatchHeader(bytes) => bytes.len(),
        WriteOp::Finish => 0,
    }
}

/// The running thread; dropping it writes what waits and ends it.
pub(super) struct Writer {
    queue: Arc<WriteQueue>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        dir: PathBuf,
        bytes_max: usize,
        inboxes: Vec<Arc<Inbox>>,
    ) -> io::Result<Self> {
        let queue = Arc::new(WriteQueue {
            waiting: Mutex::default(),
            news: Condvar::new(),
            bytes_max,
        });
        let files = Files {
            dir,
            open: FxHashMap::default(),
            queue: Arc::clone(&queue),
            inboxes,
        };
        let thread = std::thread::Builder::new()
            .name("recordings".to_owned())
            .spawn(move || files.run())?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    pub(super) fn queue(&self) -> Arc<WriteQueue> {
        Arc::clone(&self.queue)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.lock().stop = true;
        self.queue.news.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Files {
    dir: PathBuf,
    open: FxHashMap<RecordingId, File>,
    queue: Arc<WriteQueue>,
    inboxes: Vec<Arc<Inbox>>,
}

impl Files {
    fn run(mut self) {
        loop {
            let mut waiting = self.queue.lock();
            while waiting.steps.is_empty() && !waiting.stop {
                waiting = self
                    .queue
                    .news
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let steps = std::mem::take(&mut waiting.steps);
            drop(waiting);
            if steps.is_empty() {
                return;
            }
            for step in steps {
                let bytes = weight(&step.op);
                self.carry_out(step);
                self.queue.lock().bytes -= bytes;
            }
        }
    }

    fn carry_out(&mut self, step: Step) {
        let Err(error) = self.write(step.recording, &step.op) else {
            return;
        };
        self.open.remove(&step.recording);
        tracing::error!(recording = %step.recording, %error, "cannot write a recording");
        if let Some(inbox) = self.inboxes.get(usize::from(step.worker)) {
            // Refused only by a worker that is stuck, and then nobody listens anyway.
            let _ = inbox.push(Order::RecordingFailed(step.recording, error.to_string()));
        }
    }

    fn write(&mut self, recording: RecordingId, op: &WriteOp) -> io::Result<()> {
        match op {
            WriteOp::Create { path, header } => {
                let mut file = create(&self.dir, path)?;
                file.write_all(header)?;
                self.open.insert(recording, file);
            }
            // Steps of a recording that has failed may still be on their way: they are ignored.
            WriteOp::Append(bytes) => {
                if let Some(file) = self.open.get_mut(&recording) {
                    file.write_all(bytes)?;
                }
            }
            WriteOp::PatchHeader(bytes) => {
                if let Some(file) = self.open.get(&recording) {
                    file.write_all_at(bytes, 0)?;
                }
            }
            WriteOp::Finish => {
                self.open.remove(&recording);
            }
        }
        Ok(())
    }
}

/// Make the file of a recording below `dir`. It never leaves `dir`, and never overwrites one that
/// holds something.
fn create(dir: &Path, path: &str) -> io::Result<File> {
    let inside = Path::new(path).strip_prefix(dir).unwrap_or(Path::new(path));
    if !inside
        .components()
        .all(|c| matches!(c, Component::Normal(_)))
    {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path leaves the directory of recordings",
        ));
    }
    let path = dir.join(inside);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)?;
    if file.metadata()?.len() > 0 {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cp_vocab::id::TypedId;

    struct Desk {
        dir: tempfile::TempDir,
        inbox: Arc<Inbox>,
        writer: Writer,
    }

    fn desk(bytes_max: usize) -> Desk {
        let dir = tempfile::tempdir().expect("directory");
        let inbox = Arc::new(Inbox::new().expect("eventfd"));
        let inboxes = vec![Arc::clone(&inbox)];
        let writer = Writer::start(dir.path().to_owned(), bytes_max, inboxes).expect("thread");
        Desk { dir, inbox, writer }
    }

    fn id(n: u128) -> RecordingId {
        RecordingId::from_u128(n)
    }

    fn begin(path: &str) -> WriteOp {
        WriteOp::Create {
            path: path.to_owned(),
            header: b"HEAD".to_vec(),
        }
    }

    /// Write `steps`, wait until all is done, give the failures.
    fn carry_out(desk: Desk, steps: Vec<(u128, WriteOp)>) -> (tempfile::TempDir, Vec<RecordingId>) {
        let queue = desk.writer.queue();
        for (n, op) in steps {
            assert!(queue.put(0, id(n), op));
        }
        drop(desk.writer);
        let mut orders = VecDeque::new();
        desk.inbox.take(&mut orders);
        let failed = orders
            .into_iter()
            .map(|order| match order {
                Order::RecordingFailed(recording, error) => {
                    assert!(!error.is_empty());
                    recording
                }
                _ => panic!("an order nobody gave"),
            })
            .collect();
        (desk.dir, failed)
    }

    #[test]
    fn steps_make_a_file_below_the_directory() {
        let desk = desk(1_000);
        let whole = desk.dir.path().join("2026/b.wav").display().to_string();
        let steps = vec![
            (1, begin("tenant/2026/a.wav")),
            (2, begin(&whole)),
            (1, WriteOp::Append(b"one".to_vec())),
            (1, WriteOp::PatchHeader(b"head".to_vec())),
            (1, WriteOp::Append(b"two".to_vec())),
            (1, WriteOp::Finish),
        ];
        let (dir, failed) = carry_out(desk, steps);
        assert!(failed.is_empty());
        let read = |path| fs::read(dir.path().join(path)).expect("a file");
        assert_eq!(read("tenant/2026/a.wav"), b"headonetwo");
        assert_eq!(read("2026/b.wav"), b"HEAD");
    }

    #[test]
    fn what_cannot_be_written_fails_its_recording_only() {
        let desk = desk(10_000);
        let dir = desk.dir.path();
        std::os::unix::fs::symlink("/dev/full", dir.join("full.wav")).expect("link");
        fs::write(dir.join("kept.wav"), "evidence").expect("write");
        fs::write(dir.join("file"), "").expect("write");
        let steps = vec![
            (1, begin("good.wav")),
            (2, begin("full.wav")),
            (2, WriteOp::Append(b"lost".to_vec())),
            (3, begin("kept.wav")),
            (4, begin("../outside.wav")),
            (5, begin("/etc/outside.wav")),
            (6, begin("file/below-a-file.wav")),
            (1, WriteOp::Append(b"audio".to_vec())),
            (1, WriteOp::Finish),
        ];
        let outside = dir.parent().expect("parent").join("outside.wav");
        let (dir, failed) = carry_out(desk, steps);
        assert_eq!(failed, [2, 3, 4, 5, 6].map(id));
        let read = |path| fs::read(dir.path().join(path)).expect("a file");
        assert_eq!(read("good.wav"), b"HEADaudio");
        assert_eq!(read("kept.wav"), b"evidence");
        assert!(!outside.exists());
    }

    #[test]
    fn a_full_queue_refuses_audio_but_never_a_close() {
        let desk = desk(10);
        let queue = desk.writer.queue();
        assert!(!queue.put(0, id(1), WriteOp::Append(vec![0; 11])));
        assert!(queue.put(0, id(1), WriteOp::Finish));
        assert!(queue.put(0, id(2), begin("a")));
    }
}
