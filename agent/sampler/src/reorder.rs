//! Merges the rings of all CPUs by time.
//!
//! A process may map a library on one CPU and be sampled on another, so records only make sense in the order in which
//! they happened. Records stay in their rings until the horizon has passed them: everything older than the horizon is
//! visible in every ring by then, so the order is exact and no record is buffered a second time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that yields records in order of time.
pub trait TimedSource {
    /// Time of the next record, or `None` when there is none for now.
    fn peek_time(&self) -> Option<u64>;
}

/// Keeps its heap between drains, so that merging allocates nothing.
#[derive(Default)]
pub struct Merge {
    heap: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Merge {
    /// Calls `consume` for every record older than `horizon`, oldest first. `consume` must take exactly one record from
    /// the source that it is given.
    pub fn drain<S: TimedSource>(&mut self, sources: &mut [S], horizon: u64, mut consume: impl FnMut(&mut S, u64)) {
        self.heap.clear();
        for (index, source) in sources.iter().enumerate() {
            self.heap.extend(source.peek_time().filter(|&time| time < horizon).map(|time| Reverse((time, index))));
        }
        while let Some(Reverse((time, index))) = self.heap.pop() {
            consume(&mut sources[index], time);
            self.heap
                .extend(sources[index].peek_time().filter(|&time| time < horizon).map(|time| Reverse((time, index))));
        }
    }
}

impl TimedSource for crate::ring::Ring {
    fn peek_time(&self) -> Option<u64> {
        crate::ring::Ring::peek_time(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_random::Random;
    use std::collections::VecDeque;

    impl TimedSource for VecDeque<u64> {
        fn peek_time(&self) -> Option<u64> {
            self.front().copied()
        }
    }

    #[test]
    fn merges_by_time_and_keeps_what_is_too_young() {
        let mut sources = [VecDeque::from([1, 4, 9]), VecDeque::from([2, 3, 8]), VecDeque::new()];
        let mut seen = vec![];
        let mut merge = Merge::default();
        merge.drain(&mut sources, 8, |source, time| seen.push((source.pop_front().unwrap(), time).1));
        assert_eq!(seen, [1, 2, 3, 4]);
        merge.drain(&mut sources, 10, |source, time| seen.push((source.pop_front().unwrap(), time).1));
        assert_eq!(seen, [1, 2, 3, 4, 8, 9]);
    }

    #[test]
    fn any_split_into_sources_and_drains_gives_the_sorted_whole() {
        let mut random = Random::from_environment();
        for _ in 0..300 {
            let mut sources: Vec<VecDeque<u64>> = vec![VecDeque::new(); 1 + random.below(5) as usize];
            let mut all = vec![];
            for _ in 0..random.below(80) {
                let time = random.below(100);
                all.push(time);
                let count = sources.len() as u64;
                sources[random.below(count) as usize].push_back(time);
            }
            sources.iter_mut().for_each(|source| source.make_contiguous().sort_unstable());
            all.sort_unstable();
            let mut seen = vec![];
            let mut merge = Merge::default();
            for horizon in [random.below(100), 100] {
                merge.drain(&mut sources, horizon, |source, _| seen.extend(source.pop_front()));
                assert!(seen.iter().all(|&time| time < horizon));
            }
            assert_eq!(seen, all);
        }
    }
}
