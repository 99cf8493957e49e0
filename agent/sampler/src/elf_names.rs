//! Names of addresses in ELF files: from the symbol table, and with lines and inlined functions from DWARF (through
//! blazesym) where the file has it. Works on the open file, so deleted and replaced files are named as they were.

use crate::elf::Elf;
use crate::modules::{Module, ModuleId, ModuleKind};
use crate::symbol::{Line, Symbol};
use crate::symbol_table::SymbolTable;
use blazesym::symbolize::source::{self, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer, evict};
use std::collections::HashSet;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

/// DWARF beyond this is not read: its index would take more memory than the sampler may use.
const MAX_DEBUG_BYTES: u64 = 24 << 20;
/// Compressed DWARF is inflated into memory.
const MAX_COMPRESSED_BYTES: u64 = 2 << 20;
/// Estimated memory of the DWARF that stays loaded between batches.
const MAX_LOADED_BYTES: u64 = 8 << 20;
/// Memory of the symbol tables that stay loaded.
const MAX_TABLE_BYTES: usize = 8 << 20;

/// A longer name is cut.
const MAX_NAME_BYTES: usize = 2048;
/// Strings kept without asking whether anything refers to them.
const MIN_STRINGS: usize = 4096;

struct Loaded {
    module: Arc<Module>,
    path: PathBuf,
    bytes: u64,
}

pub struct ElfNames {
    symbolizer: Symbolizer,
    /// Files with DWARF, least recently used first. Holding the module keeps its file open, so that no other file takes
    /// its number.
    loaded: Vec<Loaded>,
    /// Symbol tables, least recently used first.
    tables: Vec<(ModuleId, SymbolTable)>,
    strings: HashSet<Arc<str>>,
    /// Number of strings at which unused ones are dropped.
    strings_limit: usize,
}

impl ElfNames {
    pub fn new() -> ElfNames {
        let symbolizer = Symbolizer::builder().enable_auto_reload(false).set_debug_dirs(Some(Vec::<PathBuf>::new()));
        ElfNames {
            symbolizer: symbolizer.build(),
            loaded: Vec::new(),
            tables: Vec::new(),
            strings: HashSet::new(),
            strings_limit: MIN_STRINGS,
        }
    }

    /// Names each of `addresses`, which are addresses in the file of `module`.
    pub fn names(&mut self, module: &Arc<Module>, addresses: &[u64]) -> Vec<Option<Symbol>> {
        let ModuleKind::Elf { file, elf, .. } = &module.kind else { return vec![None; addresses.len()] };
        let table = self.table(module.id, file, elf);
        // A symbol without a size would claim everything after it, even what is no code.
        let name = |&address: &u64| elf.is_code(address).then(|| table.name(file, address)).flatten();
        let functions: Vec<_> = addresses.iter().map(name).collect();
        let strings = &mut self.strings;
        let functions = functions.into_iter().map(|name| name.map(|name| intern(strings, &name))).collect::<Vec<_>>();
        if !is_worth_dwarf(elf) {
            let symbol = |function| -> Symbol { Arc::new([Line { function, file: None, line: 0 }]) };
            return functions.into_iter().map(|function| function.map(symbol)).collect();
        }
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        self.touch(module, &path, elf.debug_bytes / 2);
        let found = self.symbolizer.symbolize(&Source::Elf(source::Elf::new(&path)), Input::VirtOffset(addresses));
        let found = found.unwrap_or_default();
        let strings = &mut self.strings;
        let symbols = functions.into_iter().enumerate().map(|(at, function)| {
            let debug = found.get(at).filter(|_| elf.is_code(addresses[at]));
            to_symbol(debug.and_then(Symbolized::as_sym), function, strings)
        });
        symbols.collect()
    }

    /// The symbol table of a module, read if it is not loaded.
    fn table(&mut self, id: ModuleId, file: &File, elf: &Elf) -> &SymbolTable {
        let known = self.tables.iter().position(|(loaded, _)| *loaded == id).map(|at| self.tables.remove(at));
        self.tables.push(known.unwrap_or_else(|| (id, SymbolTable::read(file, elf))));
        &self.tables[self.tables.len() - 1].1
    }

    /// Moves the module to the end of the list of loaded files.
    fn touch(&mut self, module: &Arc<Module>, path: &std::path::Path, bytes: u64) {
        let known = self.loaded.iter().position(|loaded| loaded.module.id == module.id);
        let loaded = known.map(|at| self.loaded.remove(at));
        let new = || Loaded { module: module.clone(), path: path.to_owned(), bytes };
        self.loaded.push(loaded.unwrap_or_else(new));
    }

    /// Unloads what was used least recently until the limits hold, and strings that no result refers to any more. Call
    /// between batches.
    pub fn shrink(&mut self) {
        while self.loaded.iter().map(|loaded| loaded.bytes).sum::<u64>() > MAX_LOADED_BYTES {
            self.unload_oldest();
        }
        while self.tables.iter().map(|(_, table)| table.memory_bytes()).sum::<usize>() > MAX_TABLE_BYTES {
            self.tables.remove(0);
        }
        if self.strings.len() >= self.strings_limit {
            self.strings.retain(|string| Arc::strong_count(string) > 1);
            self.strings_limit = MIN_STRINGS.max(2 * self.strings.len());
        }
    }

    /// Unloads DWARF, whose files are mapped while loaded.
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

/// DWARF that describes only a few C files of a large program (as in Node) costs more than it tells.
fn is_worth_dwarf(elf: &Elf) -> bool {
    let limit = if elf.debug_compressed { MAX_COMPRESSED_BYTES } else { MAX_DEBUG_BYTES };
    elf.debug_bytes <= limit && elf.debug_bytes > elf.text.map_or(0, |text| text.bytes / 4)
}

/// Joins what DWARF and the symbol table know. DWARF without linkage names (Rust's line tables, C++ classes) calls a
/// function by its last name only, so the table's name takes its place when it contains it.
fn to_symbol(debug: Option<&Sym<'_>>, function: Option<Arc<str>>, strings: &mut HashSet<Arc<str>>) -> Option<Symbol> {
    let Some(Sym { name, code_info, inlined, .. }) = debug else {
        return function.map(|function| -> Symbol { Arc::new([Line { function, file: None, line: 0 }]) });
    };
    let outermost = function.filter(|full| full.contains(&**name)).unwrap_or_else(|| intern(strings, name));
    let mut lines = Vec::with_capacity(1 + inlined.len());
    let mut push = |function: Arc<str>, info: Option<&CodeInfo<'_>>, strings: &mut HashSet<Arc<str>>| {
        let file = info.map(|info| intern(strings, &info.to_path().to_string_lossy()));
        lines.push(Line { function, file, line: info.and_then(|info| info.line).unwrap_or(0) });
    };
    push(outermost, code_info.as_deref(), strings);
    for inner in inlined {
        push(intern(strings, &inner.name), inner.code_info.as_ref(), strings);
    }
    // blazesym lists the outermost function first.
    lines.reverse();
    Some(lines.into())
}

fn intern(strings: &mut HashSet<Arc<str>>, text: &str) -> Arc<str> {
    let text = &text[..text.floor_char_boundary(MAX_NAME_BYTES)];
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
        if is_worth_dwarf(elf) {
            assert!(line.file.as_ref().unwrap().ends_with("elf_names.rs") && line.line > 0, "{line:?}");
        }
        assert_eq!(symbols[1], None);
        names.clear();
        assert!(names.names(&module, &[address])[0].is_some(), "loads again after eviction");
    }
}
