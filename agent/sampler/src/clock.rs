//! Windows of time on the hub's clock, as seen from the clock of the samples.
//!
//! Samples carry CLOCK_MONOTONIC. A window is aligned to a multiple of its length on the wall clock of the hub, which is
//! the local one plus an offset, so that windows of all nodes coincide.

/// The hub's clock may be this much off from where the last window ended before windows are aligned anew.
const STEP_NS: u64 = 500_000_000;

/// One window: `[start, end)` on the hub's clock, sampled during `[from, until)` on the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: u64,
    pub end: u64,
    pub from: u64,
    pub until: u64,
}

/// Both clocks at one moment, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub monotonic: u64,
    /// Wall clock of the hub.
    pub hub: u64,
}

impl Moment {
    /// Now; `offset_ms` is the hub's clock minus the local one.
    pub fn now(offset_ms: i64) -> Moment {
        let offset = offset_ms.saturating_mul(1_000_000);
        Moment { monotonic: crate::ffi::monotonic_ns(), hub: crate::ffi::realtime_ns().saturating_add_signed(offset) }
    }
}

impl Window {
    /// The window that holds `now`, sampled from now on.
    pub fn first(now: Moment, length: u64) -> Window {
        let start = now.hub - now.hub % length;
        Window { start, end: start + length, from: now.monotonic, until: now.monotonic + (start + length - now.hub) }
    }

    /// The window after this one. It follows without a gap, unless the hub's clock was set meanwhile.
    pub fn next(&self, now: Moment) -> Window {
        let length = self.end - self.start;
        let hub_at_end = now.hub.saturating_sub(now.monotonic.saturating_sub(self.until));
        let stepped = hub_at_end.abs_diff(self.end) > STEP_NS;
        let mut next = if stepped {
            Window::first(Moment { monotonic: self.until, hub: hub_at_end }, length)
        } else {
            let until = now.monotonic.saturating_add_signed((self.end + length).wrapping_sub(now.hub) as i64);
            Window { start: self.end, end: self.end + length, from: self.until, until }
        };
        next.until = next.until.max(next.from + 1);
        next
    }

    /// Nanoseconds that a profile of this window stands for when sampling ended at `until`: a window sampled from start
    /// to end counts as whole, however the two clocks drifted within it.
    pub fn duration(&self, until: u64) -> u64 {
        let length = self.end - self.start;
        let sampled = until.saturating_sub(self.from).min(length);
        let whole = until == self.until && length - sampled < STEP_NS.min(length / 4);
        if whole { length } else { sampled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 10_000_000_000;

    fn at(monotonic: u64, hub: u64) -> Moment {
        Moment { monotonic, hub }
    }

    #[test]
    fn the_first_window_is_partial_and_later_ones_are_whole() {
        let first = Window::first(at(500, 3 * LENGTH + 4_000_000_000), LENGTH);
        assert_eq!((first.start, first.end), (3 * LENGTH, 4 * LENGTH));
        assert_eq!(first.until, 500 + 6_000_000_000);
        assert_eq!(first.duration(first.until), 6_000_000_000);
        let drift = 7_000;
        let second = first.next(at(first.until + 90, 4 * LENGTH + 90 + drift));
        assert_eq!((second.start, second.end, second.from), (4 * LENGTH, 5 * LENGTH, first.until));
        assert_eq!(second.until, first.until + LENGTH - drift);
        assert_eq!(second.duration(second.until), LENGTH);
        assert_eq!(second.duration(second.from + 1_000_000_000), 1_000_000_000, "cut short by the end of the sampler");
    }

    #[test]
    fn a_step_of_the_clock_aligns_anew_and_never_goes_back_in_time() {
        let first = Window::first(at(0, LENGTH), LENGTH);
        for hub in [100 * LENGTH + 3, 5, LENGTH + 600_000_000] {
            let next = first.next(at(first.until, hub));
            assert_eq!(next.start % LENGTH, 0);
            assert!((next.start..next.end).contains(&hub));
            assert!(next.from == first.until && next.until > next.from);
        }
    }
}
