//! Writes closed windows: their profiles, then one status.

use crate::aggregate::{Counters, Samples};
use crate::clock::Window;
use crate::export;
use crate::frames::{FrameKind, FrameWriter};
use crate::kallsyms;
use crate::names::Table;
use crate::otlp::ProfileTimes;
use crate::status::{self, Condition};

/// A window that waits for names.
pub struct Closed {
    pub window: Window,
    /// When sampling ended: before the end of the window only for the last one.
    pub until: u64,
    pub samples: Samples,
    /// Samples that were written before the window closed, because it was full.
    pub written_early: u64,
    pub counters: Counters,
    pub condition: Condition,
    /// When to write it without further names.
    pub deadline: u64,
}

/// What became of some samples.
pub struct Written {
    pub kept: u64,
    named_locations: u64,
}

pub struct WindowWriter {
    pub output: FrameWriter,
    kernel_build_id: Option<String>,
    period: u64,
}

impl WindowWriter {
    pub fn new(output: FrameWriter, frequency: u32) -> WindowWriter {
        WindowWriter {
            output,
            kernel_build_id: kallsyms::kernel_build_id(),
            period: 1_000_000_000 / u64::from(frequency),
        }
    }

    pub fn write_window(&self, names: &Table, mut closed: Closed) {
        let window = closed.window;
        let duration = window.duration(closed.until);
        let written = self.write_samples(names, &closed.samples, window.start, duration, &mut closed.counters);
        let condition = Condition {
            named_locations: written.named_locations,
            pending_names: names.pending() as u64,
            ..closed.condition
        };
        let end = if closed.until == window.until { window.end } else { window.start + duration };
        let kept = closed.written_early + written.kept;
        let status = status::window(window.start / 1_000_000, end / 1_000_000, kept, &closed.counters, &condition);
        self.output.send(FrameKind::Status, status.as_bytes());
    }

    /// Writes the profiles of `samples`; what does not fit into the output queue is counted as dropped.
    pub fn write_samples(
        &self,
        names: &Table,
        samples: &Samples,
        start: u64,
        duration: u64,
        counters: &mut Counters,
    ) -> Written {
        let times = ProfileTimes { start, duration, period: self.period };
        let exported = export::export(samples, names, self.kernel_build_id.as_deref(), times);
        let mut kept = 0;
        for chunk in exported.chunks {
            if self.output.send(FrameKind::Profiles, &chunk.bytes) {
                kept += chunk.samples;
            } else {
                counters.dropped += chunk.samples;
            }
        }
        Written { kept, named_locations: exported.named_locations }
    }
}
