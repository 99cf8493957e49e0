//! The files that processes execute, each opened once and shared by all of them.
//!
//! A module keeps its file open: a replaced or deleted file can then still be named, and its inode cannot be reused for
//! another file while the table says which one it is. Only unwind sections are mapped, never whole files.

use crate::address_space::Mapping;
use crate::elf::{self, Elf, Section};
use crate::ffi::{self, FileMap};
use crate::mapped_file;
use crate::sha256::sha256;
use std::collections::HashMap;
use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

/// Larger sections are not unwound through; the largest known browsers stay below it.
const MAX_SECTION_BYTES: u64 = 128 << 20;
/// Without `.eh_frame_hdr` the unwinder indexes the section itself, which takes time and memory.
const MAX_UNINDEXED_BYTES: u64 = 8 << 20;
/// Windows for which an unused module stays open.
const KEEP_WINDOWS: u32 = 30;
/// A file that could not be opened is tried again after this many nanoseconds: the next process may live longer.
const RETRY_NS: u64 = 500_000_000;

/// Number of a module, unique for the life of the sampler. The first three stand for no file.
pub type ModuleId = u32;
/// No known mapping covers the address.
pub const UNKNOWN: ModuleId = 0;
pub const KERNEL: ModuleId = 1;
/// Marks the place where unwinding stopped before the root.
pub const TRUNCATED: ModuleId = 2;
const FIRST_ID: ModuleId = 3;

/// Bytes of one section, shared between the processes that map it.
#[derive(Clone)]
pub struct SectionBytes(Arc<FileMap>);

impl Deref for SectionBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

pub enum ModuleKind {
    /// An ELF file and its unwind sections.
    Elf {
        file: File,
        elf: Box<Elf>,
        eh_frame: Option<SectionBytes>,
        eh_frame_hdr: Option<SectionBytes>,
        debug_frame: Option<SectionBytes>,
    },
    /// A mapped file that could not be opened or is no ELF file: addresses in it are file offsets.
    Opaque,
    /// Code made at run time by one process, named by its perf map.
    Jit { pid: u32, namespaced_pid: u32 },
}

/// The attribute key and value that identify a module's file across machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildId {
    pub key: &'static str,
    pub value: String,
}

pub struct Module {
    pub id: ModuleId,
    pub path: Arc<str>,
    pub build_id: Option<BuildId>,
    pub kind: ModuleKind,
}

impl Module {
    fn sections(&self) -> impl Iterator<Item = &SectionBytes> {
        let sections = match &self.kind {
            ModuleKind::Elf { eh_frame, eh_frame_hdr, debug_frame, .. } => {
                [eh_frame.as_ref(), eh_frame_hdr.as_ref(), debug_frame.as_ref()]
            }
            _ => [None; 3],
        };
        sections.into_iter().flatten()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct FileKey {
    device: (u32, u32),
    inode: u64,
}

struct Entry {
    module: Arc<Module>,
    last_used: u32,
    /// When to try again to open the file, if that failed.
    retry_at: Option<u64>,
}

/// All known modules, bounded in number.
pub struct Modules {
    by_file: HashMap<FileKey, ModuleId>,
    by_build_id: HashMap<(String, u64), ModuleId>,
    entries: HashMap<ModuleId, Entry>,
    vdso: Option<ModuleId>,
    next_id: ModuleId,
    limit: usize,
    window: u32,
}

impl Modules {
    /// A table of at most `limit` modules, each of which holds one open file.
    pub fn new(limit: usize) -> Modules {
        Modules {
            by_file: HashMap::new(),
            by_build_id: HashMap::new(),
            entries: HashMap::new(),
            vdso: None,
            next_id: FIRST_ID,
            limit,
            window: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&mut self, id: ModuleId) -> Option<&Arc<Module>> {
        let entry = self.entries.get_mut(&id)?;
        entry.last_used = self.window;
        Some(&entry.module)
    }

    /// The module behind a file mapping of `pid`. `None` when the table is full.
    pub fn of_file(
        &mut self,
        pids: &[u32],
        mapping: &Mapping,
        device: (u32, u32),
        inode: u64,
        path: &Arc<str>,
    ) -> Option<Arc<Module>> {
        let key = FileKey { device, inode };
        if let Some(&id) = self.by_file.get(&key) {
            let entry = self.entries.get_mut(&id)?;
            if entry.retry_at.is_none_or(|time| ffi::monotonic_ns() < time) {
                entry.last_used = self.window;
                return Some(entry.module.clone());
            }
        }
        if self.entries.len() >= self.limit {
            self.sweep(0);
            if self.entries.len() >= self.limit {
                return None;
            }
        }
        let file = mapped_file::open(pids, mapping, device, inode, path);
        let module = match file.map(|file| (elf::parse(&file), file)) {
            Some((Some(elf), file)) => self.add_elf(elf, file, path),
            Some((None, _)) => self.add(path.clone(), None, ModuleKind::Opaque, None),
            None => self.add(path.clone(), None, ModuleKind::Opaque, Some(ffi::monotonic_ns() + RETRY_NS)),
        };
        self.by_file.insert(key, module.id);
        Some(module)
    }

    /// The module of the vDSO, read from this process: the kernel maps the same image everywhere.
    pub fn vdso(&mut self) -> Option<Arc<Module>> {
        if self.vdso.is_none() {
            let file = ffi::vdso_file().ok()?;
            let elf = elf::parse(&file)?;
            self.vdso = Some(self.add_elf(elf, file, &"[vdso]".into()).id);
        }
        self.get(self.vdso?).cloned()
    }

    /// A new module for the run-time code of one process.
    pub fn jit(&mut self, pid: u32) -> Arc<Module> {
        let namespaced_pid = crate::proc_files::namespaced_pid(pid).unwrap_or(pid);
        self.add("[jit]".into(), None, ModuleKind::Jit { pid, namespaced_pid }, None)
    }

    fn add(
        &mut self,
        path: Arc<str>,
        build_id: Option<BuildId>,
        kind: ModuleKind,
        retry_at: Option<u64>,
    ) -> Arc<Module> {
        let id = self.next_id;
        self.next_id += 1;
        let module = Arc::new(Module { id, path, build_id, kind });
        self.entries.insert(id, Entry { module: module.clone(), last_used: self.window, retry_at });
        module
    }

    /// Adds an ELF file, unless the same build is known already: images of one container run many times on a node.
    fn add_elf(&mut self, elf: Elf, file: File, path: &Arc<str>) -> Arc<Module> {
        let build_id = identify(&elf, &file);
        let bytes = file.metadata().map_or(0, |metadata| metadata.size());
        let build_key = build_id.as_ref().map(|id| (id.value.clone(), bytes));
        let same_build = build_key.as_ref().and_then(|key| self.by_build_id.get(key).copied());
        if let Some(module) = same_build.and_then(|id| self.get(id)) {
            return module.clone();
        }
        let map = |section: Option<Section>| section.and_then(|section| map_section(&file, bytes, section));
        let eh_frame_hdr = map(elf.eh_frame_hdr);
        let fits = |section: &Section| eh_frame_hdr.is_some() || section.bytes <= MAX_UNINDEXED_BYTES;
        let eh_frame = map(elf.eh_frame.filter(fits));
        let debug_frame =
            map(elf.debug_frame.filter(|section| eh_frame.is_none() && section.bytes <= MAX_UNINDEXED_BYTES));
        let module = self.add(
            path.clone(),
            build_id,
            ModuleKind::Elf { file, elf: Box::new(elf), eh_frame, eh_frame_hdr, debug_frame },
            None,
        );
        self.by_build_id.extend(build_key.map(|key| (key, module.id)));
        module
    }

    /// Starts a new window and closes modules that nobody has used for a while.
    pub fn begin_window(&mut self) {
        self.window += 1;
        self.sweep(KEEP_WINDOWS);
    }

    fn sweep(&mut self, keep_windows: u32) {
        let window = self.window;
        self.entries.retain(|_, entry| {
            // Process images and the current window hold further references to what they use.
            Arc::strong_count(&entry.module) > 1 || window - entry.last_used < keep_windows
        });
        self.by_file.retain(|_, id| self.entries.contains_key(id));
        self.by_build_id.retain(|_, id| self.entries.contains_key(id));
        self.vdso = self.vdso.filter(|id| self.entries.contains_key(id));
    }

    /// Gives resident pages of unwind sections back to the page cache.
    pub fn release_pages(&self) {
        self.entries.values().flat_map(|entry| entry.module.sections()).for_each(|section| section.0.release_pages());
    }
}

fn map_section(file: &File, file_bytes: u64, section: Section) -> Option<SectionBytes> {
    let end = section.file_offset.checked_add(section.bytes)?;
    if section.bytes == 0 || section.bytes > MAX_SECTION_BYTES || end > file_bytes {
        return None;
    }
    FileMap::map(file, section.file_offset, section.bytes as usize).ok().map(|map| SectionBytes(Arc::new(map)))
}

fn identify(elf: &Elf, file: &File) -> Option<BuildId> {
    if let Some(id) = &elf.gnu_build_id {
        return Some(BuildId { key: "process.executable.build_id.gnu", value: id.clone() });
    }
    if let Some(id) = &elf.go_build_id {
        return Some(BuildId { key: "process.executable.build_id.go", value: id.clone() });
    }
    file_id(file).map(|value| BuildId { key: "process.executable.build_id.htlhash", value })
}

/// The OpenTelemetry file id: SHA-256 of the first 4096 bytes, the last 4096 bytes and the big-endian length, cut to 16
/// bytes (opentelemetry-ebpf-profiler, doc/internals.md).
fn file_id(file: &File) -> Option<String> {
    const PART: u64 = 4096;
    let bytes = file.metadata().ok()?.len();
    let part = PART.min(bytes) as usize;
    let mut message = vec![0; 2 * part];
    file.read_exact_at(&mut message[..part], 0).ok()?;
    file.read_exact_at(&mut message[part..], bytes - part as u64).ok()?;
    message.extend(bytes.to_be_bytes());
    Some(elf::hex(&sha256(&message)[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_mapping() -> Mapping {
        let mappings = crate::proc_files::executable_mappings(std::process::id()).unwrap();
        mappings.into_iter().find(|m| matches!(m.backing, crate::address_space::Backing::File { .. })).unwrap()
    }

    #[test]
    fn opens_a_file_once_and_closes_it_when_unused() {
        let mut modules = Modules::new(8);
        let mapping = own_mapping();
        let crate::address_space::Backing::File { device, inode, ref path } = mapping.backing else { panic!() };
        let pids = [std::process::id()];
        let first = modules.of_file(&pids, &mapping, device, inode, path).unwrap();
        let again = modules.of_file(&pids, &mapping, device, inode, path).unwrap();
        assert_eq!(first.id, again.id);
        assert!(matches!(first.kind, ModuleKind::Elf { eh_frame: Some(_), .. }));
        (0..100).for_each(|_| modules.begin_window());
        assert_eq!(modules.len(), 1, "still held");
        drop((first, again));
        modules.begin_window();
        assert_eq!(modules.len(), 0);
    }

    #[test]
    fn a_full_table_refuses_instead_of_growing() {
        let mut modules = Modules::new(1);
        let held = modules.jit(1);
        let mapping = own_mapping();
        let refused = modules.of_file(&[1], &mapping, (1, 2), 3, &"/x".into());
        assert!(refused.is_none());
        drop(held);
    }

    #[test]
    fn the_vdso_has_unwind_data() {
        let module = Modules::new(4).vdso().unwrap();
        assert!(matches!(module.kind, ModuleKind::Elf { eh_frame: Some(_), .. }));
    }
}
