//! The main loop: drain the rings in order of time, close windows, write them out, until told to stop.

use crate::args::Options;
use crate::clock::{Moment, Window};
use crate::ffi::{self, Wait};
use crate::frames::{FrameKind, FrameWriter};
use crate::names::Names;
use crate::perf_event;
use crate::proc_files;
use crate::processes::Processes;
use crate::reorder::Merge;
use crate::rings::Rings;
use crate::session::Session;
use crate::status::{self, Condition};
use crate::window_writer::{Closed, WindowWriter};
use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::AsRawFd;

/// Longest pause between two drains: a process that lives less long may still be looked at while it exists.
const DRAIN_MS: u64 = 100;
/// Rings fill up while the sampling thread waits for a busy machine, and it needs little.
const SAMPLING_NICENESS: i32 = -5;
/// A record is in its ring this long after its time stamp at the latest.
const HORIZON_NS: u64 = 2_000_000;
/// How long a closed window waits for names, and how long at the end of the sampler.
const NAMES_WAIT_NS: u64 = 2_000_000_000;
const LAST_NAMES_WAIT_NS: u64 = 300_000_000;
/// Beyond this, memory that can be had again is given back; looked at this often.
const SHED_BYTES: u64 = 34 << 20;
const SHED_PAUSE_NS: u64 = 2_000_000_000;
/// Open modules; each holds a file.
const MAX_MODULES: u64 = 2048;

struct Sampler {
    options: Options,
    rings: Rings,
    merge: Merge,
    session: Session,
    window: Window,
    closed: VecDeque<Closed>,
    writer: WindowWriter,
    /// Samples of the current window that were written early because it was full.
    written_early: u64,
    cpu_ns: u64,
    next_memory_check: u64,
    wrapped: Vec<u8>,
}

/// Samples until stdin ends, a signal asks to stop, or nobody reads stdout. The error is one line for the user.
pub fn run(options: Options) -> Result<(), String> {
    ffi::die_with_parent();
    ffi::survive_shrinking_files();
    ffi::keep_allocator_small();
    let signals = ffi::termination_signals().map_err(|error| format!("cannot watch signals: {error}"))?;
    let output = FrameWriter::start(std::io::stdout()).map_err(|error| format!("cannot start a thread: {error}"))?;
    let mut sampler = Sampler::start(options, output)?;
    ffi::set_thread_niceness(SAMPLING_NICENESS);
    sampler.run_until_stopped(signals.as_raw_fd());
    sampler.finish();
    Ok(())
}

impl Sampler {
    fn start(options: Options, output: FrameWriter) -> Result<Sampler, String> {
        let explain = |error: std::io::Error| {
            let refusal = perf_event::explain(&error);
            format!("{}; {}", refusal.reason, refusal.remedy)
        };
        let rings = Rings::open(&options).map_err(explain)?;
        rings.enable().map_err(explain)?;
        let names = Names::start(options.symbols, options.symbol_cpu)
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        let max_modules = (ffi::raise_open_file_limit() / 2).clamp(64, MAX_MODULES) as usize;
        let window =
            Window::first(Moment::now(options.clock_offset_ms), u64::from(options.window_seconds) * 1_000_000_000);
        let processes = Processes::scan(ffi::monotonic_ns());
        output.send(FrameKind::Hello, status::hello(&options).as_bytes());
        for refused in rings.degradations(&options) {
            output.send(FrameKind::Log, status::log("warn", refused).as_bytes());
        }
        let writer = WindowWriter::new(output, options.frequency);
        let session = Session::new(&options, rings.layout(), names, processes, max_modules);
        Ok(Sampler {
            options,
            rings,
            merge: Merge::default(),
            session,
            window,
            closed: VecDeque::new(),
            writer,
            written_early: 0,
            cpu_ns: 0,
            next_memory_check: 0,
            wrapped: Vec::new(),
        })
    }

    fn run_until_stopped(&mut self, signals: i32) {
        let mut waits = Vec::new();
        loop {
            waits.clear();
            waits.extend([Wait::readable(signals), Wait::readable(0), Wait::closed(1)]);
            waits.extend(self.rings.rings.iter().map(|ring| Wait::readable(ring.fd())));
            ffi::poll(&mut waits, self.pause_ms());
            let asked_to_stop = waits[0].is_ready() || (waits[1].is_ready() && stdin_ended());
            if asked_to_stop || waits[2].is_closed() || self.writer.output.is_closed() {
                return;
            }
            let window = self.window;
            self.drain(ffi::monotonic_ns().saturating_sub(HORIZON_NS));
            let ended: Vec<i32> = waits[3..].iter().filter(|wait| wait.is_closed()).map(Wait::fd).collect();
            if window != self.window || !ended.is_empty() {
                self.follow_hotplug(&ended);
            }
            self.write_closed();
            self.shed_memory();
        }
    }

    /// Follows CPUs that come and go. `ended` are rings that deliver no more and would wake us without end.
    fn follow_hotplug(&mut self, ended: &[i32]) {
        self.rings.rings.retain(|ring| !ended.contains(&ring.fd()));
        if self.rings.follow_hotplug() > 0 {
            self.writer.output.send(FrameKind::Log, status::log("info", "sampling a CPU that came online").as_bytes());
        }
    }

    /// Time to the next drain, shortened so that a window closes on time.
    fn pause_ms(&self) -> i32 {
        let left = (self.window.until + HORIZON_NS).saturating_sub(ffi::monotonic_ns());
        (left / 1_000_000 + 1).min(DRAIN_MS) as i32
    }

    /// Applies all records older than `horizon`, closing windows between them where they end.
    fn drain(&mut self, horizon: u64) {
        let mut rings = std::mem::take(&mut self.rings.rings);
        let mut merge = std::mem::take(&mut self.merge);
        let mut wrapped = std::mem::take(&mut self.wrapped);
        rings.iter_mut().for_each(|ring| ring.begin_drain());
        merge.drain(&mut rings, horizon, |ring, time| {
            while time >= self.window.until {
                self.close_window(self.window.until);
            }
            if let Some(record) = ring.next_record(&mut wrapped) {
                self.session.apply(&record, time);
            }
            if self.session.samples.is_full() {
                self.write_early();
            }
        });
        rings.iter_mut().for_each(|ring| ring.end_drain());
        (self.rings.rings, self.merge, self.wrapped) = (rings, merge, wrapped);
        while horizon >= self.window.until {
            self.close_window(self.window.until);
        }
    }

    /// Ends the current window at `until` and begins the next.
    fn close_window(&mut self, until: u64) {
        let now = Moment::now(self.options.clock_offset_ms);
        let cpu_ns = ffi::process_cpu_ns();
        let condition = Condition {
            cpu_ns: cpu_ns - std::mem::replace(&mut self.cpu_ns, cpu_ns),
            rss_bytes: proc_files::own_resident_bytes(),
            processes: self.session.processes.len() as u64,
            modules: self.session.modules.len() as u64,
            ..Condition::default()
        };
        self.closed.push_back(Closed {
            window: self.window,
            until,
            samples: std::mem::take(&mut self.session.samples),
            written_early: std::mem::take(&mut self.written_early),
            counters: std::mem::take(&mut self.session.counters),
            condition,
            deadline: now.monotonic + NAMES_WAIT_NS,
        });
        self.window = self.window.next(now);
        self.session.processes.sweep(now.monotonic);
        self.session.modules.begin_window();
        self.session.names.begin_window();
    }

    /// Pages of mapped files count as ours while they are mapped; they can be read again.
    fn shed_memory(&mut self) {
        let now = ffi::monotonic_ns();
        if now < self.next_memory_check {
            return;
        }
        self.next_memory_check = now + SHED_PAUSE_NS;
        if proc_files::own_resident_bytes() > SHED_BYTES {
            self.session.modules.release_pages();
            self.session.names.shed_memory();
            ffi::trim_allocator();
        }
    }

    /// Writes closed windows whose names are known or that have waited long enough.
    fn write_closed(&mut self) {
        let Some(table) = self.session.names.try_table() else { return };
        let now = ffi::monotonic_ns();
        while self.closed.front().is_some_and(|next| table.pending() == 0 || now >= next.deadline) {
            self.closed.pop_front().into_iter().for_each(|closed| self.writer.write_window(&table, closed));
        }
    }

    /// Writes the samples of a window that has grown too large, so that it can go on from empty.
    fn write_early(&mut self) {
        let samples = std::mem::take(&mut self.session.samples);
        let counters = &mut self.session.counters;
        let duration = self.window.end - self.window.start;
        let table = self.session.names.table();
        self.written_early += self.writer.write_samples(&table, &samples, self.window.start, duration, counters).kept;
    }

    /// Takes what the rings still hold and writes the last, partial window.
    fn finish(mut self) {
        let end = ffi::monotonic_ns();
        self.drain(end);
        if self.window.from < end {
            self.close_window(end.min(self.window.until));
        }
        let deadline = ffi::monotonic_ns() + LAST_NAMES_WAIT_NS;
        while self.session.names.table().pending() > 0 && ffi::monotonic_ns() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        for closed in self.closed {
            self.writer.write_window(&self.session.names.table(), closed);
        }
        self.writer.output.finish();
    }
}

fn stdin_ended() -> bool {
    !matches!(std::io::stdin().read(&mut [0; 4096]), Ok(bytes) if bytes > 0)
}
