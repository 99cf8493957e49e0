//! Which files and anonymous memory a process may execute, kept up to date from mapping records.

use std::sync::Arc;

/// Mappings kept per process. A JIT that creates more loses the newest.
const MAX_MAPPINGS: usize = 8192;

/// What lies behind a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A file, known by (major, minor) device and inode; the path is as the process sees it.
    File {
        device: (u32, u32),
        inode: u64,
        path: Arc<str>,
    },
    Vdso,
    /// Memory without a file on disk: code made at run time.
    Anonymous,
}

impl Backing {
    /// Classifies a path as it appears in maps files and mapping records.
    pub fn of(path: &str, device: (u32, u32), inode: u64) -> Backing {
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        if path == "[vdso]" {
            return Backing::Vdso;
        }
        let no_file = ["//anon", "/memfd:", "/SYSV", "/dev/"].iter().any(|prefix| path.starts_with(prefix));
        if inode == 0 || !path.starts_with('/') || no_file {
            return Backing::Anonymous;
        }
        Backing::File { device, inode, path: path.into() }
    }
}

/// An executable range `[start, end)` of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    pub file_offset: u64,
    pub backing: Backing,
}

/// Executable mappings in order of address. Cloning is cheap: a fork shares them until either side changes.
#[derive(Clone, Debug, Default)]
pub struct AddressSpace {
    mappings: Arc<Vec<Mapping>>,
}

impl AddressSpace {
    pub fn new(mappings: Vec<Mapping>) -> AddressSpace {
        AddressSpace { mappings: Arc::new(mappings) }
    }

    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// Adds a mapping over whatever was there before; tells whether anything changed. Unmapping is not reported by the
    /// kernel, so stale ranges stay until something else takes their place.
    pub fn insert(&mut self, new: Mapping) -> bool {
        if new.start >= new.end || self.covers(&new) {
            return false;
        }
        let mappings = Arc::make_mut(&mut self.mappings);
        let first = mappings.partition_point(|m| m.end <= new.start);
        let last = mappings.partition_point(|m| m.start < new.end);
        let mut replacement = Vec::with_capacity(3);
        if let Some(before) = mappings[first..last].first().filter(|m| m.start < new.start) {
            replacement.push(Mapping { end: new.start, ..before.clone() });
        }
        let (start, end) = (new.start, new.end);
        replacement.push(new);
        if let Some(after) = mappings[first..last].last().filter(|m| m.end > end) {
            let file_offset = after.file_offset.wrapping_add(end - after.start);
            replacement.push(Mapping { start: end, file_offset, ..after.clone() });
        }
        mappings.splice(first..last, replacement);
        let at = mappings.partition_point(|m| m.start < start);
        join_anonymous(mappings, at);
        mappings.truncate(MAX_MAPPINGS);
        true
    }

    /// True when the range is already known to be mapped in the same way: a JIT flips protections all the time.
    fn covers(&self, new: &Mapping) -> bool {
        let at = self.mappings.partition_point(|m| m.end <= new.start);
        self.mappings.get(at).is_some_and(|old| {
            old.start <= new.start
                && old.end >= new.end
                && old.backing == new.backing
                && (new.backing == Backing::Anonymous || old.file_offset + (new.start - old.start) == new.file_offset)
        })
    }
}

/// Joins the anonymous mapping at `at` with anonymous neighbours that it touches.
fn join_anonymous(mappings: &mut Vec<Mapping>, at: usize) {
    let joins = |a: &Mapping, b: &Mapping| {
        a.end == b.start && a.backing == Backing::Anonymous && b.backing == Backing::Anonymous
    };
    if mappings.get(at + 1).is_some_and(|next| joins(&mappings[at], next)) {
        mappings[at].end = mappings.remove(at + 1).end;
    }
    if at > 0 && joins(&mappings[at - 1], &mappings[at]) {
        mappings[at - 1].end = mappings.remove(at).end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_random::Random;

    fn file(start: u64, end: u64, file_offset: u64, inode: u64) -> Mapping {
        Mapping { start, end, file_offset, backing: Backing::of("/lib/x.so", (8, 1), inode) }
    }

    #[test]
    fn a_mapping_in_the_middle_splits_the_old_one() {
        let mut space = AddressSpace::new(vec![file(100, 200, 1000, 1)]);
        assert!(space.insert(file(120, 150, 0, 2)));
        assert_eq!(space.mappings(), [file(100, 120, 1000, 1), file(120, 150, 0, 2), file(150, 200, 1050, 1)]);
        assert!(!space.insert(file(130, 140, 10, 2)), "already mapped that way");
    }

    #[test]
    fn a_fork_does_not_see_later_changes_of_its_parent() {
        let mut parent = AddressSpace::new(vec![file(1, 2, 0, 1)]);
        let child = parent.clone();
        parent.insert(file(1, 2, 0, 2));
        assert_eq!(child.mappings(), [file(1, 2, 0, 1)]);
    }

    #[test]
    fn agrees_with_an_array_of_addresses() {
        let mut random = Random::from_environment();
        for _ in 0..500 {
            let mut model: Vec<Option<(u64, u64)>> = vec![None; 64];
            let mut space = AddressSpace::default();
            for _ in 0..random.below(30) {
                let (start, inode) = (random.below(60), random.below(3));
                let end = start + 1 + random.below(64 - start - 1).min(20);
                let offset = random.below(4) * 100;
                space.insert(file(start, end, offset, inode));
                (start..end).for_each(|at| {
                    model[at as usize] = Some((inode, if inode == 0 { 0 } else { offset + at - start }))
                });
            }
            let mut seen = vec![None; 64];
            for m in space.mappings() {
                for at in m.start..m.end {
                    let value = match &m.backing {
                        Backing::File { inode, .. } => (*inode, m.file_offset + at - m.start),
                        _ => (0, 0),
                    };
                    assert_eq!(seen[at as usize].replace(value), None, "overlap");
                }
            }
            assert_eq!(seen, model);
        }
    }
}
