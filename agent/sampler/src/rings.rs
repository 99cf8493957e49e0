//! The rings of all online CPUs.

use crate::args::Options;
use crate::ffi::{self, RingMap};
use crate::perf_event::{self, EventOptions};
use crate::records::Layout;
use crate::ring::Ring;
use std::io;

/// Seconds of samples that a ring holds: three times the longest pause between two drains.
const RING_SECONDS: f64 = 0.31;
/// Memory for the rings of all CPUs together.
const MAX_TOTAL_BYTES: usize = 24 << 20;
/// Pages of a ring: enough for bursts of process records, and what an unprivileged quota allows (perf_event_mlock_kb).
const LEAST_PAGES: usize = 32;
const USUAL_PAGES: usize = 128;
const MOST_PAGES: usize = 1024;

pub struct Rings {
    pub rings: Vec<Ring>,
    granted: EventOptions,
    pages: usize,
}

impl Rings {
    /// Opens the event on every online CPU; sampling starts with [`Rings::enable`].
    pub fn open(options: &Options) -> io::Result<Rings> {
        let cpus = perf_event::online_cpus()?;
        let pages = options.ring_pages.unwrap_or_else(|| default_pages(options, cpus.len()));
        let first = *cpus.first().ok_or(io::ErrorKind::NotFound)?;
        let (event, granted) = perf_event::open_degrading(wanted(options, pages), first)?;
        drop(event);
        let mut rings = Rings { rings: Vec::with_capacity(cpus.len()), granted, pages };
        cpus.into_iter().try_for_each(|cpu| rings.add(cpu))?;
        Ok(rings)
    }

    /// Opens one CPU's ring, with fewer pages when memory may not be locked.
    fn add(&mut self, cpu: u32) -> io::Result<()> {
        let (event, _) = perf_event::open_degrading(self.granted, cpu)?;
        loop {
            match RingMap::map(&event, self.pages) {
                Ok(map) => {
                    self.rings.push(Ring::new(cpu, event, map));
                    return Ok(());
                }
                Err(error) if self.pages <= LEAST_PAGES => return Err(error),
                Err(_) => self.pages /= 2,
            }
        }
    }

    pub fn enable(&self) -> io::Result<()> {
        self.rings.iter().try_for_each(Ring::enable)
    }

    /// Starts sampling CPUs that have come online, and drops those that are gone. Returns how many came.
    pub fn follow_hotplug(&mut self) -> usize {
        let Ok(online) = perf_event::online_cpus() else { return 0 };
        self.rings.retain(|ring| online.contains(&ring.cpu));
        let before = self.rings.len();
        for cpu in online {
            if !self.rings.iter().any(|ring| ring.cpu == cpu) && self.add(cpu).is_ok() {
                // A CPU that vanishes again right away is retried with the next window.
                let _ = self.rings.last().map(Ring::enable);
            }
        }
        self.rings.len() - before
    }

    /// What the kernel refused of what was asked, for the log.
    pub fn degradations(&self, options: &Options) -> Vec<&'static str> {
        let asked = wanted(options, self.pages);
        let mut refused = vec![];
        if asked.cgroup && !self.granted.cgroup {
            refused.push("the kernel gives no cgroup ids with samples (Linux 5.7): containers are found through /proc");
        }
        if asked.kernel_chain && !self.granted.kernel_chain {
            refused.push("kernel call chains are refused: kernel time has no frames");
        }
        if self.granted.exclude_kernel {
            refused.push("sampling the kernel is refused: time spent in the kernel is not counted");
        }
        refused
    }

    pub fn layout(&self) -> Layout {
        self.granted.layout()
    }
}

fn wanted(options: &Options, pages: usize) -> EventOptions {
    let layout = options.wanted_layout();
    EventOptions {
        frequency: options.frequency,
        stack_bytes: options.stack_bytes,
        watermark: (pages * ffi::page_bytes() / 2) as u32,
        kernel_chain: layout.callchain,
        cgroup: layout.cgroup,
        exclude_kernel: false,
    }
}

/// Pages that hold [`RING_SECONDS`] of samples, within the memory for all rings.
fn default_pages(options: &Options, cpus: usize) -> usize {
    let sample_bytes = options.stack_bytes as usize + 512;
    let bytes = (f64::from(options.frequency) * RING_SECONDS * sample_bytes as f64) as usize;
    let page = ffi::page_bytes();
    let needed = bytes.max(4 * sample_bytes).div_ceil(page).next_power_of_two();
    let share = MAX_TOTAL_BYTES / page / cpus.max(1);
    let affordable = if share.is_power_of_two() { share } else { share.next_power_of_two() / 2 };
    needed.max(USUAL_PAGES).min(affordable.max(LEAST_PAGES)).min(MOST_PAGES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_grow_with_frequency_and_shrink_with_cpus() {
        let options = |frequency| Options { frequency, ..Options::default() };
        assert_eq!(default_pages(&options(19), 2), 128);
        assert_eq!(default_pages(&options(99), 2), 256);
        assert_eq!(default_pages(&options(499), 2), 1024);
        assert_eq!(default_pages(&options(499), 96), 64);
        assert_eq!(default_pages(&options(19), 1000), LEAST_PAGES);
    }
}
