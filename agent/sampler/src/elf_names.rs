//! Names of addresses in ELF files, through blazesym: DWARF with inlined functions where the file has it, else its symbol
//! tables. Works on the open file, so deleted and replaced files are named as they were.

use crate::modules::{Module, ModuleKind};
use crate::symbol::{Line, Symbol};
use blazesym::symbolize::source::{self, Source};
use blazesym::symbolize::{Input, Sym, Symbolized, Symbolizer, evict};
use std::collections::HashSet;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

/// DWARF beyond this is not read: its index would take more memory than the sampler may use.
const MAX_DEBUG_BYTES: u64 = 24 << 20;
/// Compressed DWARF is inflated into memory.
const MAX_COMPRESSED_BYTES: u64 = 2 << 20;
/// A larger symbol table is not read.
const MAX_SYMTAB_BYTES: u64 = 24 << 20;
/// Estimated memory of the files that stay loaded between batches.
const LOADED_LIMIT: u64 = 8 << 20;
/// A longer name is cut.
const MAX_NAME_BYTES: usize = 2048;

struct Loaded {
    module: Arc<Module>,
    path: PathBuf,
    cost: u64,
}

pub struct ElfNames {
    symbolizer: Symbolizer,
    /// Least recently used first. Holding the module keeps its file open, so no other file takes its number.
    loaded: Vec<Loaded>,
    strings: HashSet<Arc<str>>,
}

impl ElfNames {
    pub fn new() -> ElfNames {
        let symbolizer =
            Symbolizer::builder().enable_auto_reload(false).set_debug_dirs(Some(Vec::<PathBuf>::new())).build();
        ElfNames { symbolizer, loaded: Vec::new(), strings: HashSet::new() }
    }

    /// Names each of `addresses`, which are addresses in the file of `module`.
    pub fn names(&mut self, module: &Arc<Module>, addresses: &[u64]) -> Vec<Option<Symbol>> {
        let ModuleKind::Elf { file, elf, .. } = &module.kind else { return vec![None; addresses.len()] };
        if elf.symtab_bytes > MAX_SYMTAB_BYTES {
            return vec![None; addresses.len()];
        }
        let debug_limit = if elf.debug_compressed { MAX_COMPRESSED_BYTES } else { MAX_DEBUG_BYTES };
        let debug_syms = elf.debug_bytes > 0 && elf.debug_bytes <= debug_limit;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let cost = elf.symtab_bytes / 2 + if debug_syms { elf.debug_bytes / 2 } else { 0 };
        self.touch(module, &path, cost);
        let look_up = |debug_syms| {
            let source = Source::Elf(source::Elf { debug_syms, ..source::Elf::new(&path) });
            self.symbolizer.symbolize(&source, Input::VirtOffset(addresses)).unwrap_or_default()
        };
        let found = look_up(debug_syms);
        // DWARF without linkage names (Rust's line tables, C++ classes) calls a function by its last name only.
        let full = if debug_syms && elf.symtab_bytes > 0 { look_up(false) } else { vec![] };
        let strings = &mut self.strings;
        // A symbol without a size would claim everything after it, even what is no code.
        let is_code = |address: u64| {
            elf.segments.iter().any(|segment| address.wrapping_sub(segment.address) < segment.memory_bytes)
        };
        let name = |(at, &address): (usize, &u64)| {
            to_symbol(found.get(at).filter(|_| is_code(address))?, full.get(at), strings)
        };
        addresses.iter().enumerate().map(name).collect()
    }

    /// Moves the module to the end of the list of loaded files.
    fn touch(&mut self, module: &Arc<Module>, path: &std::path::Path, cost: u64) {
        let known = self.loaded.iter().position(|loaded| loaded.module.id == module.id);
        let loaded = known.map(|at| self.loaded.remove(at));
        let new = || Loaded { module: module.clone(), path: path.to_owned(), cost };
        self.loaded.push(loaded.unwrap_or_else(new));
    }

    /// Unloads files, least recently used first, until the estimate is within `LOADED_LIMIT`, and strings that no result
    /// refers to any more. Call between batches.
    pub fn shrink(&mut self) {
        while self.loaded.iter().map(|loaded| loaded.cost).sum::<u64>() > LOADED_LIMIT {
            self.unload_oldest();
        }
        self.strings.retain(|string| Arc::strong_count(string) > 1);
    }

    /// Unloads everything.
    pub fn clear(&mut self) {
        while !self.loaded.is_empty() {
            self.unload_oldest();
        }
    }

    fn unload_oldest(&mut self) {
        let oldest = self.loaded.remove(0);
        // Evicting a file that failed to load reports an error that changes nothing.
        let _ = self.symbolizer.evict(&evict::Evict::Elf(evict::Elf::new(oldest.path)));
    }
}

/// `full` is what the symbol table calls the function: it takes the place of the name in `found` when it contains it.
fn to_symbol(found: &Symbolized<'_>, full: Option<&Symbolized<'_>>, strings: &mut HashSet<Arc<str>>) -> Option<Symbol> {
    let Symbolized::Sym(Sym { name, code_info, inlined, .. }) = found else { return None };
    let full = full.and_then(Symbolized::as_sym).map(|symbol| &symbol.name).filter(|full| full.contains(&**name));
    let name = full.unwrap_or(name);
    let mut lines = Vec::with_capacity(1 + inlined.len());
    let mut push = |name: &str, info: Option<&blazesym::symbolize::CodeInfo<'_>>| {
        let file = info.map(|info| intern(strings, &info.to_path().to_string_lossy()));
        lines.push(Line { function: intern(strings, name), file, line: info.and_then(|info| info.line).unwrap_or(0) });
    };
    push(name, code_info.as_deref());
    inlined.iter().for_each(|function| push(&function.name, function.code_info.as_ref()));
    // blazesym lists the outermost function first.
    lines.reverse();
    Some(lines.into())
}

fn intern(strings: &mut HashSet<Arc<str>>, text: &str) -> Arc<str> {
    let mut end = text.len().min(MAX_NAME_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    if let Some(known) = strings.get(text) {
        return known.clone();
    }
    let new: Arc<str> = text.into();
    strings.insert(new.clone());
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_space::Backing;
    use crate::modules::Modules;

    #[test]
    fn names_its_own_functions_with_file_and_line() {
        let pid = std::process::id();
        let function = names_its_own_functions_with_file_and_line as *const () as u64;
        let mappings = crate::proc_files::executable_mappings(pid).unwrap();
        let mapping = mappings.iter().find(|m| (m.start..m.end).contains(&function)).unwrap();
        let Backing::File { device, inode, path } = &mapping.backing else { panic!() };
        let module = Modules::new(4).of_file(&[pid], mapping, *device, *inode, path).unwrap();
        let ModuleKind::Elf { elf, .. } = &module.kind else { panic!() };
        let address = function - elf.bias(mapping.start, mapping.file_offset).unwrap();
        let mut names = ElfNames::new();
        let symbols = names.names(&module, &[address, u64::MAX / 2]);
        let line = symbols[0].as_ref().unwrap().last().unwrap();
        assert!(line.function.contains("names_its_own_functions"), "{line:?}");
        if elf.debug_bytes <= MAX_DEBUG_BYTES {
            assert!(line.file.as_ref().unwrap().ends_with("elf_names.rs") && line.line > 0, "{line:?}");
        }
        assert_eq!(symbols[1], None);
        names.clear();
        assert!(names.names(&module, &[address])[0].is_some(), "loads again after eviction");
    }
}
