//! The functions of an ELF symbol table as a sorted index of 16 bytes each. Names stay in the file until they are asked
//! for, so the index of a large program can be kept while the program runs.

use crate::elf::{Elf, ReadAt};
use std::sync::Arc;

/// Bytes of an Elf64_Sym.
const SYMBOL_BYTES: usize = 24;
const CHUNK_SYMBOLS: u64 = 4096;
/// A larger table is not read: 24 MB of symbols.
const MAX_SYMBOLS: u64 = 1 << 20;
/// A longer name is cut.
const MAX_NAME_BYTES: usize = 2048;
/// How many symbols before an address are looked at for one that holds it.
const LOOK_BACK: usize = 4;

const TYPE_NONE: u8 = 0;
const TYPE_FUNCTION: u8 = 2;
const TYPE_INDIRECT_FUNCTION: u8 = 10;
const UNDEFINED: u16 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    start: u64,
    bytes: u32,
    name: u32,
}

/// Functions in order of address.
pub struct SymbolTable {
    entries: Vec<Entry>,
    names_at: u64,
    names_bytes: u64,
}

impl SymbolTable {
    /// Reads the table of `elf`; empty when it has none, or one beyond the limit.
    pub fn read(file: &dyn ReadAt, elf: &Elf) -> SymbolTable {
        let mut symbols = SymbolTable { entries: Vec::new(), names_at: 0, names_bytes: 0 };
        let Some((table, names)) = elf.symbols else { return symbols };
        (symbols.names_at, symbols.names_bytes) = (names.file_offset, names.bytes);
        let count = table.bytes / SYMBOL_BYTES as u64;
        if count > MAX_SYMBOLS {
            return symbols;
        }
        let mut chunk = vec![0; CHUNK_SYMBOLS as usize * SYMBOL_BYTES];
        for first in (0..count).step_by(CHUNK_SYMBOLS as usize) {
            let bytes = &mut chunk[..(count - first).min(CHUNK_SYMBOLS) as usize * SYMBOL_BYTES];
            let Some(offset) = table.file_offset.checked_add(first * SYMBOL_BYTES as u64) else { break };
            if !file.read_at(offset, bytes) {
                break;
            }
            symbols.entries.extend(bytes.chunks_exact(SYMBOL_BYTES).filter_map(|symbol| function(symbol, elf)));
        }
        symbols.entries.sort_unstable();
        symbols.entries.dedup_by_key(|entry| (entry.start, entry.bytes));
        symbols.entries.shrink_to_fit();
        symbols
    }

    /// Bytes of memory that the index takes.
    pub fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    /// The readable name of the function that holds `address`.
    pub fn name(&self, file: &dyn ReadAt, address: u64) -> Option<Arc<str>> {
        let end = self.entries.partition_point(|entry| entry.start <= address);
        let before = self.entries[end.saturating_sub(LOOK_BACK)..end].iter().rev();
        let holds = |entry: &&Entry| address - entry.start < entry.bytes.into();
        // Hand-written code often has no size: then the nearest symbol stands for what follows it.
        let nearest = self.entries[..end].last().filter(|entry| entry.bytes == 0);
        let entry = before.clone().find(holds).or(nearest)?;
        let mut bytes = [0; MAX_NAME_BYTES];
        let available = self.names_bytes.checked_sub(entry.name.into())?.min(MAX_NAME_BYTES as u64) as usize;
        file.read_at(self.names_at.checked_add(entry.name.into())?, &mut bytes[..available]).then_some(())?;
        let name = bytes[..available].split(|&byte| byte == 0).next()?;
        // `$x` and `.L…` mark places for the assembler, not functions.
        let is_marker = name.is_empty() || name.starts_with(b"$") || name.starts_with(b".L");
        (!is_marker).then(|| readable(&String::from_utf8_lossy(name)).into())
    }
}

/// Elf64_Sym: name u32, info u8, other u8, section u16, value u64, size u64.
fn function(symbol: &[u8], elf: &Elf) -> Option<Entry> {
    let name = u32::from_le_bytes(symbol[..4].try_into().ok()?);
    let section = u16::from_le_bytes(symbol[6..8].try_into().ok()?);
    let start = u64::from_le_bytes(symbol[8..16].try_into().ok()?);
    let bytes = u64::from_le_bytes(symbol[16..24].try_into().ok()?);
    let is_function = matches!(symbol[4] & 15, TYPE_NONE | TYPE_FUNCTION | TYPE_INDIRECT_FUNCTION);
    let found = is_function && section != UNDEFINED && name != 0 && elf.is_code(start);
    found.then(|| Entry { start, bytes: bytes.min(u32::MAX.into()) as u32, name })
}

/// Demangles Rust and C++ names.
fn readable(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    let cpp = name.starts_with("_Z").then(|| cpp_demangle::Symbol::new(name).ok()?.demangle().ok()).flatten();
    let mut readable = cpp.unwrap_or_else(|| name.to_owned());
    readable.truncate(readable.floor_char_boundary(MAX_NAME_BYTES));
    readable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_random::Random;

    #[test]
    fn names_functions_of_its_own_executable() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        let elf = crate::elf::parse(&file).unwrap();
        let table = SymbolTable::read(&file, &elf);
        let named = |wanted: &str| {
            let entries = table.entries.iter().filter(|entry| entry.bytes > 8);
            entries.filter(|entry| table.name(&file, entry.start + 8).is_some_and(|name| name.contains(wanted))).count()
        };
        assert!(named("names_functions_of_its_own_executable") > 0);
        assert!(named("core::") > 100, "names are demangled");
        assert_eq!(table.name(&file, 0), None);
    }

    #[test]
    fn an_address_between_functions_has_no_name() {
        let file = b"\0first\0second\0asm\0".to_vec();
        let entry = |start, bytes, name| Entry { start, bytes, name };
        let entries = vec![entry(0x100, 0x10, 1), entry(0x104, 4, 7), entry(0x200, 0, 14)];
        let table = SymbolTable { entries, names_at: 0, names_bytes: file.len() as u64 };
        let name = |address| table.name(&file, address).map(|name| name.to_string());
        assert_eq!(name(0x103).as_deref(), Some("first"));
        assert_eq!(name(0x105).as_deref(), Some("second"));
        assert_eq!(name(0x10f).as_deref(), Some("first"));
        assert_eq!((name(0xff), name(0x110)), (None, None));
        assert_eq!(name(0x2ff).as_deref(), Some("asm"));
    }

    #[test]
    fn broken_tables_never_panic() {
        let mut random = Random::from_environment();
        let file: Vec<u8> = (0..4096).map(|_| random.next() as u8).collect();
        for _ in 0..2000 {
            let mut section =
                || crate::elf::Section { address: 0, file_offset: random.below(5000), bytes: random.below(5000) };
            let mut elf = Elf { symbols: Some((section(), section())), ..Elf::default() };
            elf.segments.push(crate::elf::Segment {
                address: 0,
                file_offset: 0,
                file_bytes: u64::MAX,
                memory_bytes: u64::MAX,
            });
            let table = SymbolTable::read(&file, &elf);
            for _ in 0..10 {
                table.name(&file, random.next());
            }
        }
    }

    #[test]
    fn demangles() {
        assert_eq!(readable("_ZN4node5StartEiPPc"), "node::Start(int, char**)");
        assert_eq!(readable("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"), "core::fmt::Formatter::pad");
        assert_eq!(readable("main"), "main");
    }
}
