//! Counts equal stacks within one window, per program and thread name.

use crate::image::Frame;
use crate::modules::{Module, ModuleId};
use crate::processes::Description;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Frames of distinct stacks held at once (16 MiB); a fuller window is written in parts.
const MAX_FRAMES: usize = 1 << 20;

/// What happened while the samples of a window were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Samples read from the rings, idle time excluded.
    pub taken: u64,
    /// Samples that could not be read or written.
    pub dropped: u64,
    /// Records that the kernel could not deliver.
    pub lost: u64,
    /// Times that the kernel slowed sampling down.
    pub throttled: u64,
    /// Samples whose instruction lies in no known mapping.
    pub unattributed: u64,
    pub user_stacks: u64,
    pub kernel_stacks: u64,
    /// User stacks whose root was reached, and those where unwinding stopped before.
    pub rooted: u64,
    pub truncated: u64,
    /// Stacks that made a parser panic.
    pub unwind_errors: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SampleKey {
    /// Serial of the process.
    pub process: u64,
    pub thread_name: u32,
    pub stack: u32,
}

/// The samples of one window, or of a part of it.
#[derive(Default)]
pub struct Samples {
    counts: HashMap<SampleKey, u64>,
    stack_ids: HashMap<Arc<[Frame]>, u32>,
    stacks: Vec<Arc<[Frame]>>,
    thread_name_ids: HashMap<Arc<str>, u32>,
    thread_names: Vec<Arc<str>>,
    processes: HashMap<u64, Arc<Description>>,
    /// Held so that a module used here is neither closed nor forgotten before the window is written.
    modules: HashMap<ModuleId, Arc<Module>>,
    frames: usize,
}

impl Samples {
    /// Counts one sample of process `serial`.
    pub fn add(&mut self, serial: u64, thread_name: &Arc<str>, stack: u32) {
        let thread_name = match self.thread_name_ids.get(thread_name) {
            Some(&id) => id,
            None => {
                let id = self.thread_names.len() as u32;
                self.thread_names.push(thread_name.clone());
                self.thread_name_ids.insert(thread_name.clone(), id);
                id
            }
        };
        *self.counts.entry(SampleKey { process: serial, thread_name, stack }).or_default() += 1;
    }

    /// Number of a stack, and whether this is its first appearance.
    pub fn stack(&mut self, frames: &[Frame]) -> (u32, bool) {
        if let Some(&id) = self.stack_ids.get(frames) {
            return (id, false);
        }
        let (id, stack) = (self.stacks.len() as u32, Arc::<[Frame]>::from(frames));
        self.frames += frames.len();
        self.stacks.push(stack.clone());
        self.stack_ids.insert(stack, id);
        (id, true)
    }

    /// Remembers who process `serial` is; a later description replaces an earlier one.
    pub fn describe(&mut self, serial: u64, description: Arc<Description>) {
        match self.processes.entry(serial) {
            Entry::Occupied(mut known) if !Arc::ptr_eq(known.get(), &description) => drop(known.insert(description)),
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => drop(free.insert(description)),
        }
    }

    pub fn hold(&mut self, module: &Arc<Module>) {
        self.modules.entry(module.id).or_insert_with(|| module.clone());
    }

    pub fn module(&self, id: ModuleId) -> Option<&Arc<Module>> {
        self.modules.get(&id)
    }

    pub fn is_full(&self) -> bool {
        self.frames >= MAX_FRAMES
    }

    pub fn frames_of(&self, stack: u32) -> &[Frame] {
        &self.stacks[stack as usize]
    }

    pub fn thread_name(&self, id: u32) -> &str {
        &self.thread_names[id as usize]
    }

    pub fn description(&self, serial: u64) -> Option<&Arc<Description>> {
        self.processes.get(&serial)
    }

    /// Samples and their counts, those of one process together.
    pub fn by_process(&self) -> Vec<(SampleKey, u64)> {
        let mut counts: Vec<_> = self.counts.iter().map(|(&key, &count)| (key, count)).collect();
        counts.sort_unstable();
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_of_one_thread_name_are_one_sample() {
        let mut samples = Samples::default();
        let frames = |address| [Frame { module: 5, address }, Frame { module: 5, address: 1 }];
        let names: Vec<Arc<str>> = vec!["main".into(), "worker".into()];
        for (serial, name, address) in [(2, 0, 10), (1, 0, 10), (1, 0, 10), (1, 1, 10), (1, 0, 11)] {
            let (stack, _) = samples.stack(&frames(address));
            samples.add(serial, &names[name], stack);
        }
        let found: Vec<_> =
            samples.by_process().iter().map(|(key, count)| (key.process, key.thread_name, key.stack, *count)).collect();
        assert_eq!(found, [(1, 0, 0, 2), (1, 0, 1, 1), (1, 1, 0, 1), (2, 0, 0, 1)]);
        assert_eq!(samples.stack(&frames(11)), (1, false));
        assert_eq!(samples.frames_of(1), frames(11));
    }
}
