//! Every live process: who it is, what it may execute and where it runs, kept up to date from records in order of time.
//!
//! What records have not told (processes older than the sampler) is read from /proc. Such a read shows the present, which
//! is later than the records still waiting in the rings, so records older than the read are ignored for that process.

use crate::address_space::{AddressSpace, Backing, Mapping};
use crate::cgroup::{self, CgroupPaths};
use crate::image::Image;
use crate::modules::{Module, Modules};
use crate::proc_files;
use crate::records::Mapped;
use std::collections::HashMap;
use std::sync::Arc;

/// Processes remembered; beyond it those not sampled for longest are forgotten and read from /proc when needed.
const MAX_PROCESSES: usize = 16_384;
/// Thread names remembered; when full, all are forgotten and read again when needed.
const MAX_THREADS: usize = 65_536;
/// A process that has exited is kept this long, since other threads' last samples may follow.
const EXITED_KEEP_NS: u64 = 2_000_000_000;
/// The unwinder of a process that was not sampled for this long is dropped.
const IMAGE_KEEP_NS: u64 = 300_000_000_000;
/// A process may be moved to another cgroup: its description is read again after this long.
const DESCRIPTION_KEEP_NS: u64 = 60_000_000_000;

/// What a process is called and where it runs, as written to the output.
#[derive(Debug, PartialEq, Eq)]
pub struct Description {
    pub pid: u32,
    pub parent_pid: u32,
    pub name: String,
    pub executable: Option<Arc<str>>,
    pub cgroup: Option<Arc<str>>,
    pub container: Option<String>,
}

/// One program in one process: an exec starts a new one under the same pid.
pub struct Process {
    /// Unique for the life of the sampler, unlike the pid.
    pub serial: u64,
    pid: u32,
    parent_pid: u32,
    name: Arc<str>,
    executable: Option<Arc<str>>,
    space: AddressSpace,
    /// False until mappings were inherited, recorded after an exec, or read from /proc.
    space_known: bool,
    /// Time of the last read of /proc: older records are already part of it.
    synced_at: u64,
    image: Option<Image>,
    image_stale: bool,
    jit: Option<Arc<Module>>,
    cgroup_file: Option<Arc<str>>,
    description: Option<Arc<Description>>,
    described_at: u64,
    described_cgroup: u64,
    sampled_at: u64,
    exited_at: Option<u64>,
}

/// All processes and thread names.
pub struct Processes {
    by_pid: HashMap<u32, Process>,
    thread_names: HashMap<u32, Arc<str>>,
    next_serial: u64,
}

impl Processes {
    /// Reads the processes that run now. `time` is the clock before the read.
    pub fn scan(time: u64) -> Processes {
        let mut processes = Processes { by_pid: HashMap::new(), thread_names: HashMap::new(), next_serial: 1 };
        for pid in proc_files::all_pids().into_iter().take(MAX_PROCESSES) {
            processes.read_from_proc(pid, time);
        }
        processes
    }

    pub fn len(&self) -> usize {
        self.by_pid.len()
    }

    fn read_from_proc(&mut self, pid: u32, time: u64) -> &mut Process {
        let mappings = proc_files::executable_mappings(pid);
        let serial = self.take_serial();
        let process = Process {
            serial,
            pid,
            parent_pid: proc_files::parent_pid(pid).unwrap_or(0),
            name: proc_files::process_name(pid).unwrap_or_default().into(),
            executable: proc_files::executable_path(pid).map(Into::into),
            space_known: mappings.is_some(),
            space: AddressSpace::new(mappings.unwrap_or_default()),
            synced_at: time,
            ..Process::empty(serial, pid)
        };
        self.by_pid.entry(pid).insert_entry(process).into_mut()
    }

    fn take_serial(&mut self) -> u64 {
        self.next_serial += 1;
        self.next_serial
    }

    pub fn forked(&mut self, time: u64, pid: u32, parent_pid: u32, tid: u32, parent_tid: u32) {
        if let Some(name) = self.thread_names.get(&parent_tid).cloned() {
            self.name_thread(tid, name);
        } else {
            self.thread_names.remove(&tid);
        }
        let is_thread = pid == parent_pid;
        if is_thread || self.by_pid.get(&pid).is_some_and(|known| known.synced_at > time) {
            return;
        }
        if self.by_pid.len() >= MAX_PROCESSES {
            self.sweep(time);
        }
        let serial = self.take_serial();
        let mut child = Process { parent_pid, synced_at: time, ..Process::empty(serial, pid) };
        if let Some(parent) = self.by_pid.get(&parent_pid) {
            child.name = parent.name.clone();
            child.executable = parent.executable.clone();
            child.space = parent.space.clone();
            child.space_known = parent.space_known;
            child.cgroup_file = parent.cgroup_file.clone();
        }
        self.by_pid.insert(pid, child);
    }

    pub fn renamed(&mut self, time: u64, pid: u32, tid: u32, name: &[u8], exec: bool) {
        let name: Arc<str> = String::from_utf8_lossy(name).into();
        self.name_thread(tid, name.clone());
        let Some(process) = self.by_pid.get_mut(&pid).filter(|process| process.synced_at <= time) else { return };
        if pid == tid || exec {
            process.name = name;
            process.description = None;
        }
        if exec {
            let serial = self.take_serial();
            let Some(process) = self.by_pid.get_mut(&pid) else { return };
            let (name, parent_pid, cgroup_file) =
                (process.name.clone(), process.parent_pid, process.cgroup_file.take());
            *process = Process {
                name,
                parent_pid,
                cgroup_file,
                space_known: true,
                synced_at: time,
                ..Process::empty(serial, pid)
            };
        }
    }

    fn name_thread(&mut self, tid: u32, name: Arc<str>) {
        if self.thread_names.len() >= MAX_THREADS {
            self.thread_names.clear();
        }
        self.thread_names.insert(tid, name);
    }

    pub fn mapped(&mut self, time: u64, record: &Mapped<'_>) {
        let Some(process) = self.by_pid.get_mut(&record.pid).filter(|process| process.synced_at <= time) else {
            return;
        };
        let Some(end) = record.start.checked_add(record.bytes) else { return };
        let path = String::from_utf8_lossy(record.path);
        let backing = Backing::of(&path, record.device, record.inode);
        if let (Backing::File { path, .. }, None) = (&backing, &process.executable) {
            process.executable = Some(path.clone());
            process.description = None;
        }
        let mapping = Mapping { start: record.start, end, file_offset: record.file_offset, backing };
        process.image_stale |= process.space.insert(mapping);
    }

    pub fn exited(&mut self, time: u64, pid: u32, tid: u32) {
        self.thread_names.remove(&tid);
        if let Some(process) = self.by_pid.get_mut(&pid).filter(|process| pid == tid && process.synced_at <= time) {
            process.exited_at = Some(time);
        }
    }

    /// The process of a sample, with its image up to date.
    pub fn sampled(&mut self, time: u64, pid: u32, modules: &mut Modules) -> &mut Process {
        if !self.by_pid.get(&pid).is_some_and(|process| process.space_known) {
            self.learn(pid);
        }
        let process = self.by_pid.get_mut(&pid).expect("learned above");
        process.sampled_at = time;
        if process.image_stale {
            process.image_stale = false;
            let pids = [pid, process.parent_pid];
            process.image = Some(Image::build(&process.space, &pids, modules, &mut process.jit, process.image.take()));
        }
        process
    }

    /// Reads a process that no record told about, or what its parent still shows if it is gone already.
    fn learn(&mut self, pid: u32) {
        let now = crate::ffi::monotonic_ns();
        let parent = self.by_pid.get(&pid).map(|process| process.parent_pid);
        if !self.read_from_proc(pid, now).space_known {
            let inherited = parent.and_then(proc_files::executable_mappings);
            let process = self.by_pid.get_mut(&pid).expect("just read");
            process.parent_pid = parent.unwrap_or(0);
            process.space = AddressSpace::new(inherited.unwrap_or_default());
            process.space_known = true;
        }
    }

    /// Name of a thread.
    pub fn thread_name(&mut self, pid: u32, tid: u32) -> Arc<str> {
        if let Some(name) = self.thread_names.get(&tid) {
            return name.clone();
        }
        let name: Arc<str> = proc_files::thread_name(pid, tid).unwrap_or_default().into();
        self.name_thread(tid, name.clone());
        name
    }

    /// Forgets processes that are gone, and the unwinders of those that sleep. Call once per window.
    pub fn sweep(&mut self, now: u64) {
        let since = |time: u64| now.saturating_sub(time);
        self.by_pid.retain(|_, process| process.exited_at.is_none_or(|time| since(time) < EXITED_KEEP_NS));
        for process in self.by_pid.values_mut().filter(|process| since(process.sampled_at) > IMAGE_KEEP_NS) {
            process.image = None;
            process.image_stale = true;
        }
        if self.by_pid.len() >= MAX_PROCESSES {
            let mut times: Vec<u64> = self.by_pid.values().map(|process| process.sampled_at).collect();
            let middle = times.len() / 2;
            let oldest_kept = *times.select_nth_unstable(middle).1;
            self.by_pid.retain(|_, process| process.sampled_at > oldest_kept);
        }
    }
}

impl Process {
    fn empty(serial: u64, pid: u32) -> Process {
        Process {
            serial,
            pid,
            parent_pid: 0,
            name: "".into(),
            executable: None,
            space: AddressSpace::default(),
            space_known: false,
            synced_at: 0,
            image: None,
            image_stale: true,
            jit: None,
            cgroup_file: None,
            description: None,
            described_at: 0,
            described_cgroup: 0,
            sampled_at: 0,
            exited_at: None,
        }
    }

    /// Present after [`Processes::sampled`].
    pub fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    /// Describes the process; `cgroup` is the cgroup v2 number of the sample.
    pub fn describe(&mut self, now: u64, cgroup: u64, paths: &CgroupPaths) -> Arc<Description> {
        let fresh = now.saturating_sub(self.described_at) < DESCRIPTION_KEEP_NS && cgroup == self.described_cgroup;
        if let Some(description) = self.description.as_ref().filter(|_| fresh) {
            return description.clone();
        }
        let path = paths.path(cgroup).cloned().or_else(|| self.read_cgroup_file());
        let description = Arc::new(Description {
            pid: self.pid,
            parent_pid: self.parent_pid,
            name: self.program_name(),
            executable: self.executable.clone(),
            container: path.as_deref().and_then(cgroup::container_id).map(str::to_owned),
            cgroup: path,
        });
        (self.described_at, self.described_cgroup) = (now, cgroup);
        self.description.insert(description).clone()
    }

    fn read_cgroup_file(&mut self) -> Option<Arc<str>> {
        if let Some(text) = proc_files::cgroup_file(self.pid) {
            self.cgroup_file = cgroup::path_of_process(&text).map(Into::into);
        }
        self.cgroup_file.clone()
    }

    /// File name of the executable (OpenTelemetry's meaning of process.executable.name); kernel threads have none and go
    /// by their thread name.
    fn program_name(&self) -> String {
        let file_name = self.executable.as_deref().and_then(|path| path.rsplit('/').next());
        file_name.unwrap_or(&self.name).to_owned()
    }
}

#[cfg(test)]
#[path = "processes_tests.rs"]
mod tests;
