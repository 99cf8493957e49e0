//! Names of kernel functions, from /proc/kallsyms.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

/// A kernel with every module loaded has about 300,000 symbols; a longer file is cut.
const MAX_BYTES: u64 = 64 << 20;

/// Function starts in order of address, with their names in one buffer.
#[derive(Default)]
pub struct KernelSymbols {
    starts: Vec<u64>,
    names: Vec<(u32, u16)>,
    text: String,
    /// Address of `_stext`, the same place in every boot of one kernel.
    pub text_start: Option<u64>,
    text_end: u64,
}

impl KernelSymbols {
    /// Reads the symbols of the running kernel; empty when the policy hides addresses (kernel.kptr_restrict).
    pub fn read() -> KernelSymbols {
        std::fs::File::open("/proc/kallsyms").map(|file| KernelSymbols::parse(file.take(MAX_BYTES))).unwrap_or_default()
    }

    fn parse(file: impl Read) -> KernelSymbols {
        let mut symbols = KernelSymbols::default();
        let mut found: Vec<(u64, u32, u16)> = Vec::new();
        let mut reader = BufReader::with_capacity(64 << 10, file);
        let mut line = String::new();
        while {
            line.clear();
            reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0)
        } {
            let Some((address, kind, name)) = parse_line(line.trim_end()) else { continue };
            match name {
                "_stext" => symbols.text_start = Some(address),
                "_etext" => symbols.text_end = address,
                _ => {}
            }
            if address != 0 && matches!(kind, "t" | "T" | "w" | "W") {
                found.push((address, symbols.text.len() as u32, name.len().min(u16::MAX.into()) as u16));
                symbols.text.push_str(name);
            }
        }
        // Later entries with the same address are aliases; the sort is stable and keeps the first.
        found.sort_by_key(|&(address, _, _)| address);
        found.dedup_by_key(|&mut (address, _, _)| address);
        symbols.starts = found.iter().map(|&(address, _, _)| address).collect();
        symbols.names = found.iter().map(|&(_, at, bytes)| (at, bytes)).collect();
        symbols.text.shrink_to_fit();
        symbols
    }

    /// Name of the function that holds `address`.
    pub fn name(&self, address: u64) -> Option<Arc<str>> {
        let at = self.starts.partition_point(|&start| start <= address).checked_sub(1)?;
        let (offset, bytes) = self.names[at];
        self.text.get(offset as usize..offset as usize + usize::from(bytes)).map(Into::into)
    }
}

/// Where the text of the running kernel lies, so that its addresses can be told independently of the random base of a
/// boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelText {
    pub start: u64,
    pub end: u64,
}

impl KernelSymbols {
    /// The range of the kernel's own text, without modules.
    pub fn text_range(&self) -> Option<KernelText> {
        let start = self.text_start.filter(|&start| start != 0)?;
        (self.text_end > start).then_some(KernelText { start, end: self.text_end })
    }
}

fn parse_line(line: &str) -> Option<(u64, &str, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let address = u64::from_str_radix(fields.next()?, 16).ok()?;
    Some((address, fields.next()?, fields.next()?))
}

/// GNU build id of the running kernel, from its notes.
pub fn kernel_build_id() -> Option<String> {
    let notes = std::fs::read("/sys/kernel/notes").ok()?;
    crate::elf::gnu_build_id_in(&notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "ffff000000001000 T _stext\nffff000000001000 t alias\nffff000000001080 t do_work\n\
        ffff000000002000 D some_data\nffff000000003000 T _etext\nffff000000009000 t in_module\t[nf_tables]\nbroken\n";

    #[test]
    fn finds_the_function_before_an_address() {
        let symbols = KernelSymbols::parse(SYMBOLS.as_bytes());
        let name = |address| symbols.name(address).map(|name| name.to_string());
        assert_eq!(name(0xffff_0000_0000_1000).as_deref(), Some("_stext"));
        assert_eq!(name(0xffff_0000_0000_10ff).as_deref(), Some("do_work"));
        assert_eq!(name(0xffff_0000_0000_9001).as_deref(), Some("in_module"));
        assert_eq!(name(0xfff), None);
        assert_eq!(symbols.text_range(), Some(KernelText { start: 0xffff_0000_0000_1000, end: 0xffff_0000_0000_3000 }));
    }

    #[test]
    fn hidden_addresses_give_no_names() {
        let symbols = KernelSymbols::parse("0000000000000000 T _stext\n0000000000000000 T x\n".as_bytes());
        assert_eq!((symbols.name(5), symbols.text_range()), (None, None));
    }
}
