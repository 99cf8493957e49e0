//! Reads what unwinding and naming need from a 64-bit little-endian ELF file: executable segments, unwind sections and
//! build ids. Section contents are not read here, only found; a hostile file can ask for no more than the limits below.
//!
//! Layout: System V ABI, "Object Files"; `.eh_frame_hdr`: Linux Standard Base, "DWARF Extensions".

const MAX_PROGRAM_HEADERS: u16 = 512;
const MAX_SECTION_HEADERS: u16 = 4096;
const MAX_NAME_TABLE: u64 = 1 << 20;
const MAX_NOTES: u64 = 64 << 10;

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const PF_X: u32 = 1;
const SHT_SYMTAB: u32 = 2;
const SHT_DYNSYM: u32 = 11;
const SHT_NOBITS: u32 = 8;
const SHF_COMPRESSED: u64 = 1 << 11;
const NOTE_GNU_BUILD_ID: u32 = 3;
const NOTE_GO_BUILD_ID: u32 = 4;
/// DW_EH_PE_pcrel | DW_EH_PE_sdata4: how every linker writes the pointer from `.eh_frame_hdr` to `.eh_frame`.
const PCREL_SDATA4: u8 = 0x1b;

/// Reads bytes at an offset of a file; false when they are not there.
pub trait ReadAt {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> bool;
}

impl ReadAt for std::fs::File {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> bool {
        std::os::unix::fs::FileExt::read_exact_at(self, into, offset).is_ok()
    }
}

/// An executable PT_LOAD segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub address: u64,
    pub file_offset: u64,
    pub file_bytes: u64,
    pub memory_bytes: u64,
}

/// A section's place in memory and in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    pub address: u64,
    pub file_offset: u64,
    pub bytes: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Elf {
    pub segments: Vec<Segment>,
    pub eh_frame: Option<Section>,
    pub eh_frame_hdr: Option<Section>,
    pub debug_frame: Option<Section>,
    pub text: Option<Section>,
    pub got: Option<Section>,
    /// Lower-case hex of the GNU build id.
    pub gnu_build_id: Option<String>,
    /// The Go linker's own build id, a printable string.
    pub go_build_id: Option<String>,
    /// Bytes of DWARF in the file, and whether any of it is compressed.
    pub debug_bytes: u64,
    pub debug_compressed: bool,
    /// The symbol table (`.symtab`, else `.dynsym`) and the names that it refers to.
    pub symbols: Option<(Section, Section)>,
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.0[at..at + 2].try_into().unwrap())
    }
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }
    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }
}

/// Parses the headers of `file`; `None` when it is not a 64-bit little-endian ELF file.
pub fn parse(file: &dyn ReadAt) -> Option<Elf> {
    let mut header = [0u8; 64];
    if !file.read_at(0, &mut header) || &header[..6] != b"\x7fELF\x02\x01" {
        return None;
    }
    let header = Fields(&header);
    let mut elf = Elf::default();
    read_program_headers(file, &mut elf, header.u64(32), header.u16(54), header.u16(56));
    read_section_headers(file, &mut elf, header.u64(40), header.u16(58), header.u16(60), header.u16(62));
    if elf.eh_frame.is_none() {
        elf.eh_frame = eh_frame_from_index(file, &elf);
    }
    Some(elf)
}

fn read_table(file: &dyn ReadAt, offset: u64, entry_bytes: usize, count: u16) -> Option<Vec<u8>> {
    let mut table = vec![0; entry_bytes * usize::from(count)];
    file.read_at(offset, &mut table).then_some(table)
}

fn read_program_headers(file: &dyn ReadAt, elf: &mut Elf, offset: u64, entry_bytes: u16, count: u16) {
    if entry_bytes != 56 || count > MAX_PROGRAM_HEADERS {
        return;
    }
    let Some(table) = read_table(file, offset, 56, count) else { return };
    for entry in table.chunks_exact(56).map(Fields) {
        let segment = Segment {
            address: entry.u64(16),
            file_offset: entry.u64(8),
            file_bytes: entry.u64(32),
            memory_bytes: entry.u64(40),
        };
        match entry.u32(0) {
            PT_LOAD if entry.u32(4) & PF_X != 0 => elf.segments.push(segment),
            PT_NOTE => read_notes(file, elf, segment),
            PT_GNU_EH_FRAME => {
                let Segment { address, file_offset, file_bytes, .. } = segment;
                elf.eh_frame_hdr = Some(Section { address, file_offset, bytes: file_bytes });
            }
            _ => {}
        }
    }
}

fn read_notes(file: &dyn ReadAt, elf: &mut Elf, segment: Segment) {
    if segment.file_bytes > MAX_NOTES {
        return;
    }
    let mut notes = vec![0; segment.file_bytes as usize];
    if !file.read_at(segment.file_offset, &mut notes) {
        return;
    }
    for (name, kind, value) in Notes(&notes) {
        match (name, kind) {
            (b"GNU\0", NOTE_GNU_BUILD_ID) => elf.gnu_build_id = Some(hex(value)).filter(|id| !id.is_empty()),
            (b"Go\0\0", NOTE_GO_BUILD_ID) => {
                elf.go_build_id = std::str::from_utf8(value).ok().filter(|id| !id.is_empty()).map(str::to_owned);
            }
            _ => {}
        }
    }
}

/// Notes of a note segment as (name, type, value).
struct Notes<'a>(&'a [u8]);

impl<'a> Iterator for Notes<'a> {
    type Item = (&'a [u8], u32, &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0;
        let head = Fields(rest.get(..12)?);
        let (name_bytes, value_bytes) = (head.u32(0) as usize, head.u32(4) as usize);
        let value_at = 12 + name_bytes.min(rest.len()).next_multiple_of(4);
        let value = rest.get(value_at..)?.get(..value_bytes)?;
        self.0 = rest.get(value_at + value_bytes.next_multiple_of(4)..).unwrap_or(&[]);
        Some((&rest[12..value_at], head.u32(8), value))
    }
}

/// The GNU build id among raw notes, in lower-case hex.
pub fn gnu_build_id_in(notes: &[u8]) -> Option<String> {
    Notes(notes).find(|(name, kind, _)| *name == b"GNU\0" && *kind == NOTE_GNU_BUILD_ID).map(|(_, _, value)| hex(value))
}

fn read_section_headers(file: &dyn ReadAt, elf: &mut Elf, offset: u64, entry_bytes: u16, count: u16, names: u16) {
    if entry_bytes != 64 || count > MAX_SECTION_HEADERS || names >= count {
        return;
    }
    let Some(table) = read_table(file, offset, 64, count) else { return };
    let name_header = Fields(&table[64 * usize::from(names)..]);
    if name_header.u64(32) > MAX_NAME_TABLE {
        return;
    }
    let mut name_table = vec![0; name_header.u64(32) as usize];
    if !file.read_at(name_header.u64(24), &mut name_table) {
        return;
    }
    for entry in table.chunks_exact(64).map(Fields) {
        let name = name_table.get(entry.u32(0) as usize..).and_then(|tail| tail.split(|&byte| byte == 0).next());
        if entry.u32(4) != SHT_NOBITS {
            note_section(elf, name.unwrap_or(&[]), &entry);
        }
    }
    let table_of = |kind| table.chunks_exact(64).map(Fields).find(|entry| entry.u32(4) == kind);
    elf.symbols = table_of(SHT_SYMTAB).or_else(|| table_of(SHT_DYNSYM)).and_then(|symbols| {
        let names = table.chunks_exact(64).map(Fields).nth(symbols.u32(40) as usize)?;
        Some((section_of(&symbols), section_of(&names)))
    });
}

fn section_of(entry: &Fields<'_>) -> Section {
    Section { address: entry.u64(16), file_offset: entry.u64(24), bytes: entry.u64(32) }
}

fn note_section(elf: &mut Elf, name: &[u8], entry: &Fields<'_>) {
    let section = section_of(entry);
    let compressed = entry.u64(8) & SHF_COMPRESSED != 0 || name.starts_with(b".zdebug_");
    match name {
        b".eh_frame" => elf.eh_frame = Some(section),
        b".eh_frame_hdr" => elf.eh_frame_hdr = Some(section),
        b".debug_frame" if !compressed => elf.debug_frame = Some(section),
        b".text" => elf.text = Some(section),
        b".got" => elf.got = Some(section),
        _ => {}
    }
    if name.starts_with(b".debug_") || name.starts_with(b".zdebug_") {
        elf.debug_bytes = elf.debug_bytes.saturating_add(section.bytes);
        elf.debug_compressed |= compressed;
    }
}

/// A file stripped of its section headers still names its unwind index by a program header, and the index starts with a
/// pointer to `.eh_frame`. Its length is unknown: up to the end of the file will do, since a zero length ends the data.
fn eh_frame_from_index(file: &dyn ReadAt, elf: &Elf) -> Option<Section> {
    /// More unwind data than any known binary has.
    const LIMIT: u64 = 64 << 20;
    let index = elf.eh_frame_hdr?;
    let mut head = [0u8; 8];
    if !file.read_at(index.file_offset, &mut head) || head[1] != PCREL_SDATA4 {
        return None;
    }
    let distance = i64::from(i32::from_le_bytes(head[4..8].try_into().unwrap())) + 4;
    let address = index.address.checked_add_signed(distance)?;
    let file_offset = index.file_offset.checked_add_signed(distance)?;
    let mut bytes = LIMIT;
    while bytes > 0 && !file.read_at(file_offset.checked_add(bytes - 1)?, &mut [0]) {
        bytes /= 2;
    }
    (bytes > 0).then_some(Section { address, file_offset, bytes })
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Elf {
    /// True for an address in an executable segment.
    pub fn is_code(&self, address: u64) -> bool {
        self.segments.iter().any(|segment| address.wrapping_sub(segment.address) < segment.memory_bytes)
    }

    /// Distance between the addresses of the file and those of a process that maps `file_offset` of it at `start`.
    pub fn bias(&self, start: u64, file_offset: u64) -> Option<u64> {
        let page_mask = crate::ffi::page_bytes() as u64 - 1;
        let segment = self.segments.iter().find(|segment| {
            let first = segment.file_offset & !page_mask;
            let end = segment.file_offset.saturating_add(segment.file_bytes).saturating_add(page_mask) & !page_mask;
            (first..end).contains(&file_offset)
        })?;
        Some(start.wrapping_sub(file_offset).wrapping_sub(segment.address.wrapping_sub(segment.file_offset)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_random::Random;

    impl ReadAt for Vec<u8> {
        fn read_at(&self, offset: u64, into: &mut [u8]) -> bool {
            let Ok(offset) = usize::try_from(offset) else { return false };
            let Some(bytes) = self.get(offset..).and_then(|tail| tail.get(..into.len())) else { return false };
            into.copy_from_slice(bytes);
            true
        }
    }

    fn own_executable() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    #[test]
    fn reads_its_own_executable() {
        let elf = parse(&own_executable()).unwrap();
        let function = own_executable as *const () as u64;
        assert!(elf.eh_frame.is_some() && elf.eh_frame_hdr.is_some() && elf.text.is_some());
        assert!(elf.symbols.is_some_and(|(table, names)| table.bytes > 0 && names.bytes > 0));
        let line = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mapping = line.lines().filter_map(crate::proc_files::parse_maps_line);
        let mapping = mapping.into_iter().find(|m| (m.start..m.end).contains(&function)).unwrap();
        let address = function - elf.bias(mapping.start, mapping.file_offset).unwrap();
        assert!(elf.segments.iter().any(|s| (s.address..s.address + s.memory_bytes).contains(&address)));
    }

    #[test]
    fn finds_unwind_data_without_section_headers() {
        let mut file = own_executable();
        let whole = parse(&file).unwrap();
        file[60] = 0;
        file[61] = 0;
        let stripped = parse(&file).unwrap();
        let (expected, found) = (whole.eh_frame.unwrap(), stripped.eh_frame.unwrap());
        assert_eq!((expected.address, expected.file_offset), (found.address, found.file_offset));
    }

    #[test]
    fn broken_files_never_panic() {
        let mut random = Random::from_environment();
        let mut original = own_executable();
        let headers = u64::from_le_bytes(original[40..48].try_into().unwrap()) as usize;
        let tail = original.len() - headers;
        for _ in 0..3000 {
            let mut changed = vec![];
            for _ in 0..1 + random.below(6) {
                let at = if random.below(2) == 0 {
                    random.below(1024) as usize
                } else {
                    headers + random.below(tail as u64) as usize
                };
                changed.push((at, original[at]));
                original[at] = [0, 1, 0x7f, 0xff, random.next() as u8][random.below(5) as usize];
            }
            if let Some(elf) = parse(&original) {
                elf.bias(random.next(), random.next());
            }
            changed.into_iter().rev().for_each(|(at, byte)| original[at] = byte);
        }
    }
}
