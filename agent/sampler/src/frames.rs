//! The frames on stdout: `u32 payload length, little-endian | u8 kind | payload`.
//!
//! Written by a thread of its own, so that a supervisor that reads slowly costs queued memory, then dropped and counted
//! profiles, but never samples still in the rings.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Profiles waiting for the supervisor; beyond it further ones are dropped.
const MAX_QUEUED_BYTES: usize = 12 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// OTLP profiles.
    Profiles = 1,
    /// JSON, one per window.
    Status = 2,
    /// JSON `{level, message}`.
    Log = 3,
    /// JSON, the first frame.
    Hello = 4,
}

pub struct FrameWriter {
    queue: Sender<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl FrameWriter {
    pub fn start(output: impl Write + Send + 'static) -> std::io::Result<FrameWriter> {
        let (queue, frames) = channel();
        let (queued_bytes, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (bytes, flag) = (queued_bytes.clone(), closed.clone());
        let write = move || write_all(output, frames, &bytes, &flag);
        let thread = std::thread::Builder::new().name("output".into()).spawn(write)?;
        Ok(FrameWriter { queue, queued_bytes, closed, thread })
    }

    /// Queues a frame; false when it was dropped because the reader is too slow or gone. Only profiles are ever dropped
    /// for slowness.
    pub fn send(&self, kind: FrameKind, payload: &[u8]) -> bool {
        let waiting = self.queued_bytes.load(Ordering::Relaxed);
        if kind == FrameKind::Profiles && waiting + payload.len() > MAX_QUEUED_BYTES {
            return false;
        }
        let mut frame = Vec::with_capacity(5 + payload.len());
        frame.extend((payload.len() as u32).to_le_bytes());
        frame.push(kind as u8);
        frame.extend_from_slice(payload);
        self.queued_bytes.fetch_add(frame.len(), Ordering::Relaxed);
        self.queue.send(frame).is_ok()
    }

    /// True when nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Writes what is queued, then ends the thread.
    pub fn finish(self) {
        drop(self.queue);
        // The thread contains no panic of ours; should it end in one, there is nothing left to write anyway.
        let _ = self.thread.join();
    }
}

fn write_all(mut output: impl Write, frames: Receiver<Vec<u8>>, queued_bytes: &AtomicUsize, closed: &AtomicBool) {
    for frame in frames {
        if output.write_all(&frame).and_then(|()| output.flush()).is_err() {
            closed.store(true, Ordering::Relaxed);
            return;
        }
        queued_bytes.fetch_sub(frame.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn frames_are_length_kind_payload() {
        let output = Shared::default();
        let writer = FrameWriter::start(output.clone()).unwrap();
        assert!(writer.send(FrameKind::Hello, b"{}") && writer.send(FrameKind::Profiles, b"abc"));
        writer.finish();
        assert_eq!(*output.0.lock().unwrap(), b"\x02\0\0\0\x04{}\x03\0\0\0\x01abc");
    }

    #[test]
    fn a_reader_that_stalls_costs_profiles_not_memory() {
        struct Stalled;
        impl Write for Stalled {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                std::thread::park();
                Ok(0)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let writer = FrameWriter::start(Stalled).unwrap();
        let payload = vec![0; 1 << 20];
        let accepted = (0..100).filter(|_| writer.send(FrameKind::Profiles, &payload)).count();
        assert_eq!(accepted, 11);
        assert!(writer.send(FrameKind::Status, b"{}"), "status always fits");
    }
}
