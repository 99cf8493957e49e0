//! What one record means: processes change, and a sample becomes a counted stack of its window.

use crate::aggregate::{Counters, Samples};
use crate::args::Options;
use crate::cgroup::CgroupPaths;
use crate::image::Frame;
use crate::modules::{KERNEL, Modules, UNKNOWN};
use crate::names::Names;
use crate::processes::Processes;
use crate::records::{self, Layout, Record, Sample};
use crate::ring::RawRecord;
use crate::unwind::{Outcome, StackWalker};

/// Everything that records act on.
pub struct Session {
    pub processes: Processes,
    pub modules: Modules,
    pub names: Names,
    pub samples: Samples,
    pub counters: Counters,
    cgroups: CgroupPaths,
    walker: StackWalker,
    layout: Layout,
    pids: Vec<u32>,
    kernel_frames: bool,
    /// The stack at hand, kept to save an allocation per sample.
    stack: Vec<Frame>,
}

impl Session {
    pub fn new(options: &Options, layout: Layout, names: Names, processes: Processes, max_modules: usize) -> Session {
        Session {
            processes,
            modules: Modules::new(max_modules),
            names,
            samples: Samples::default(),
            counters: Counters::default(),
            cgroups: CgroupPaths::scan(),
            walker: StackWalker::new(),
            layout,
            pids: options.pids.clone(),
            kernel_frames: options.kernel,
            stack: Vec::with_capacity(256),
        }
    }

    /// Applies one record. Records must come in order of time.
    pub fn apply(&mut self, raw: &RawRecord<'_>, time: u64) {
        match records::parse(raw.kind, raw.misc, raw.body, self.layout) {
            Some(Record::Sample(sample)) => self.sample(&sample),
            Some(Record::Mapped(mapped)) => self.processes.mapped(time, &mapped),
            Some(Record::Comm { pid, tid, exec, name }) => self.processes.renamed(time, pid, tid, name, exec),
            Some(Record::Fork { pid, parent_pid, tid, parent_tid }) => {
                self.processes.forked(time, pid, parent_pid, tid, parent_tid)
            }
            Some(Record::Exit { pid, tid }) => self.processes.exited(time, pid, tid),
            Some(Record::Cgroup { id, path }) => self.cgroups.insert(id, &String::from_utf8_lossy(path)),
            Some(Record::Lost { records }) => self.counters.lost += records,
            Some(Record::Throttled) => self.counters.throttled += 1,
            Some(Record::Other) => {}
            None if raw.kind == records::SAMPLE => {
                self.counters.taken += 1;
                self.counters.dropped += 1;
            }
            None => {}
        }
    }

    fn sample(&mut self, sample: &Sample<'_>) {
        let is_idle = sample.pid == 0;
        if is_idle || !(self.pids.is_empty() || self.pids.contains(&sample.pid)) {
            return;
        }
        self.counters.taken += 1;
        self.stack.clear();
        if self.kernel_frames {
            self.push_kernel_frames(sample);
        }
        let serial = self.push_user_frames(sample);
        if self.stack.is_empty() {
            // Kernel time whose frames are not wanted or not given.
            self.stack.push(Frame { module: KERNEL, address: 0 });
        }
        let thread_name = self.processes.thread_name(sample.pid, sample.tid);
        let (stack, is_new) = self.samples.stack(&self.stack);
        if is_new {
            self.ask_for_names();
        }
        self.samples.add(serial, &thread_name, stack);
    }

    fn push_kernel_frames(&mut self, sample: &Sample<'_>) {
        for (depth, ip) in sample.kernel_chain().enumerate() {
            // All but the leaf are return addresses, which lie just after the call.
            self.stack.push(Frame { module: KERNEL, address: ip - u64::from(depth > 0) });
        }
        self.counters.kernel_stacks += u64::from(!self.stack.is_empty());
    }

    /// Unwinds the user stack, if there is one, and returns the serial of the process.
    fn push_user_frames(&mut self, sample: &Sample<'_>) -> u64 {
        let process = self.processes.sampled(sample.time, sample.pid, &mut self.modules);
        let serial = process.serial;
        self.samples.describe(serial, process.describe(sample.time, sample.cgroup, &self.cgroups));
        let (Some(registers), Some(image)) = (sample.registers, process.image()) else { return serial };
        self.counters.user_stacks += 1;
        self.counters.unattributed += u64::from(image.frame(registers.ip).module == UNKNOWN);
        match self.walker.walk(image, registers, sample.stack, &mut self.stack) {
            Outcome::Rooted => self.counters.rooted += 1,
            Outcome::Truncated => self.counters.truncated += 1,
            Outcome::Panicked => {
                self.counters.truncated += 1;
                self.counters.unwind_errors += 1;
            }
        }
        serial
    }

    fn ask_for_names(&mut self) {
        for &frame in &self.stack {
            if self.samples.module(frame.module).is_none() {
                self.modules.get(frame.module).into_iter().for_each(|module| self.samples.hold(module));
            }
            self.names.want(frame, self.samples.module(frame.module));
        }
    }
}
