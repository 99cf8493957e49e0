//! The perf event that is opened on every CPU, and what to do when the kernel or a policy refuses it.
//!
//! Layout: `perf_event_attr` of linux/perf_event.h up to PERF_ATTR_SIZE_VER7.

use crate::ffi::{self, ATTR_BYTES};
use crate::records::Layout;
use std::io;
use std::os::fd::OwnedFd;

const TYPE_SOFTWARE: u32 = 1;
const CONFIG_CPU_CLOCK: u64 = 0;
const CLOCK_MONOTONIC: i32 = 1;

const SAMPLE_IP: u64 = 1 << 0;
const SAMPLE_TID: u64 = 1 << 1;
const SAMPLE_TIME: u64 = 1 << 2;
const SAMPLE_CALLCHAIN: u64 = 1 << 5;
const SAMPLE_CPU: u64 = 1 << 7;
const SAMPLE_PERIOD: u64 = 1 << 8;
const SAMPLE_REGS_USER: u64 = 1 << 12;
const SAMPLE_STACK_USER: u64 = 1 << 13;
const SAMPLE_CGROUP: u64 = 1 << 21;

const FLAG_DISABLED: u64 = 1 << 0;
const FLAG_EXCLUDE_KERNEL: u64 = 1 << 5;
const FLAG_EXCLUDE_HV: u64 = 1 << 6;
const FLAG_EXCLUDE_IDLE: u64 = 1 << 7;
const FLAG_MMAP: u64 = 1 << 8;
const FLAG_COMM: u64 = 1 << 9;
const FLAG_FREQ: u64 = 1 << 10;
const FLAG_TASK: u64 = 1 << 13;
const FLAG_WATERMARK: u64 = 1 << 14;
const FLAG_SAMPLE_ID_ALL: u64 = 1 << 18;
const FLAG_EXCLUDE_CALLCHAIN_USER: u64 = 1 << 22;
const FLAG_MMAP2: u64 = 1 << 23;
const FLAG_COMM_EXEC: u64 = 1 << 24;
const FLAG_USE_CLOCKID: u64 = 1 << 25;
const FLAG_CGROUP: u64 = 1 << 32;

/// Registers in the order of their mask bits: frame pointer, stack pointer, instruction pointer.
#[cfg(target_arch = "x86_64")]
const USER_REGISTERS: u64 = 1 << 6 | 1 << 7 | 1 << 8;
/// Frame pointer, link register, stack pointer, program counter.
#[cfg(target_arch = "aarch64")]
const USER_REGISTERS: u64 = 1 << 29 | 1 << 30 | 1 << 31 | 1 << 32;

/// What one CPU's event should deliver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventOptions {
    /// Samples per second and CPU.
    pub frequency: u32,
    /// Bytes of user stack copied per sample, a multiple of 8.
    pub stack_bytes: u32,
    /// Ring bytes after which the reader is woken.
    pub watermark: u32,
    /// Kernel part of the call chain wanted.
    pub kernel_chain: bool,
    /// Cgroup id per sample and CGROUP records wanted (Linux 5.7).
    pub cgroup: bool,
    /// Sampling only user mode: what remains when the kernel may not be observed.
    pub exclude_kernel: bool,
}

impl EventOptions {
    /// How records of this event are laid out.
    pub fn layout(&self) -> Layout {
        Layout { callchain: self.kernel_chain, cgroup: self.cgroup }
    }

    /// The next weaker request after a refusal, or nothing when there is nothing left to give up.
    fn weaker(&self) -> Option<EventOptions> {
        if self.cgroup {
            Some(EventOptions { cgroup: false, ..*self })
        } else if self.kernel_chain {
            Some(EventOptions { kernel_chain: false, ..*self })
        } else if !self.exclude_kernel {
            Some(EventOptions { exclude_kernel: true, ..*self })
        } else {
            None
        }
    }

    fn attr(&self) -> [u8; ATTR_BYTES] {
        let mut sample_type = SAMPLE_IP | SAMPLE_TID | SAMPLE_TIME | SAMPLE_CPU | SAMPLE_PERIOD;
        sample_type |= SAMPLE_REGS_USER | SAMPLE_STACK_USER;
        let mut flags =
            FLAG_DISABLED | FLAG_EXCLUDE_HV | FLAG_EXCLUDE_IDLE | FLAG_MMAP | FLAG_COMM | FLAG_FREQ | FLAG_TASK;
        flags |= FLAG_WATERMARK | FLAG_SAMPLE_ID_ALL | FLAG_MMAP2 | FLAG_COMM_EXEC | FLAG_USE_CLOCKID;
        if self.kernel_chain {
            sample_type |= SAMPLE_CALLCHAIN;
            flags |= FLAG_EXCLUDE_CALLCHAIN_USER;
        }
        if self.cgroup {
            sample_type |= SAMPLE_CGROUP;
            flags |= FLAG_CGROUP;
        }
        if self.exclude_kernel {
            flags |= FLAG_EXCLUDE_KERNEL;
        }
        let mut attr = [0u8; ATTR_BYTES];
        let mut put = |at: usize, bytes: &[u8]| attr[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &TYPE_SOFTWARE.to_ne_bytes());
        put(4, &(ATTR_BYTES as u32).to_ne_bytes());
        put(8, &CONFIG_CPU_CLOCK.to_ne_bytes());
        put(16, &u64::from(self.frequency).to_ne_bytes());
        put(24, &sample_type.to_ne_bytes());
        put(40, &flags.to_ne_bytes());
        put(48, &self.watermark.to_ne_bytes());
        put(80, &USER_REGISTERS.to_ne_bytes());
        put(88, &self.stack_bytes.to_ne_bytes());
        put(92, &CLOCK_MONOTONIC.to_ne_bytes());
        attr
    }
}

/// Opens the event on `cpu`, giving up features step by step; returns what was granted.
pub fn open_degrading(wanted: EventOptions, cpu: u32) -> io::Result<(OwnedFd, EventOptions)> {
    let mut options = wanted;
    loop {
        match ffi::perf_event_open(&options.attr(), cpu as i32) {
            Ok(event) => return Ok((event, options)),
            Err(error) if is_refusal(&error) => match options.weaker() {
                Some(weaker) => options = weaker,
                None => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EACCES | libc::EPERM | libc::EOPNOTSUPP))
}

/// Why sampling the whole machine is impossible, and what an operator can do about it.
pub struct Refusal {
    pub reason: String,
    pub remedy: &'static str,
}

/// Explains the error of [`open_degrading`].
pub fn explain(error: &io::Error) -> Refusal {
    let remedy = match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            "grant CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8) and a seccomp profile that allows perf_event_open, or set kernel.perf_event_paranoid to 0 or less"
        }
        Some(libc::ENOSYS | libc::ENOENT | libc::ENODEV) => "run a kernel built with CONFIG_PERF_EVENTS",
        Some(libc::EINVAL | libc::EOPNOTSUPP) => "run Linux 4.1 or newer",
        Some(libc::EMFILE | libc::ENFILE) => "raise the limit of open files (ulimit -n)",
        _ => "see perf_event_open(2) for this error",
    };
    Refusal { reason: format!("perf_event_open failed: {error}"), remedy }
}

/// CPUs that are online, from a kernel list such as `0-3,8`.
pub fn online_cpus() -> io::Result<Vec<u32>> {
    Ok(parse_cpu_list(&std::fs::read_to_string("/sys/devices/system/cpu/online")?))
}

fn parse_cpu_list(list: &str) -> Vec<u32> {
    /// More CPUs than Linux supports (NR_CPUS), so that a broken list cannot ask for billions.
    const LIMIT: u32 = 8192;
    let mut cpus = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            cpus.extend(first..=last.min(LIMIT));
        }
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cpu_lists() {
        assert_eq!(parse_cpu_list("0-3,8\n"), vec![0, 1, 2, 3, 8]);
        assert_eq!(parse_cpu_list("0"), vec![0]);
        assert_eq!(parse_cpu_list("x,2-1,"), Vec::<u32>::new());
    }

    #[test]
    fn gives_up_cgroups_first_and_the_kernel_last() {
        let full = EventOptions {
            frequency: 19,
            stack_bytes: 16384,
            watermark: 1,
            kernel_chain: true,
            cgroup: true,
            exclude_kernel: false,
        };
        let steps: Vec<_> = std::iter::successors(Some(full), EventOptions::weaker).collect();
        let given: Vec<_> = steps.iter().map(|o| (o.cgroup, o.kernel_chain, o.exclude_kernel)).collect();
        assert_eq!(given, [(true, true, false), (false, true, false), (false, false, false), (false, false, true)]);
    }
}
