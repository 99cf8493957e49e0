//! Parses the records of a perf ring (linux/perf_event.h, "enum perf_event_type"). Pure: bytes in, borrowed fields out.
//!
//! Every length comes from the kernel but is checked all the same, so that a wrong assumption about a layout yields
//! `None` and a counted sample, never a panic.

/// Which optional fields the opened events carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub callchain: bool,
    pub cgroup: bool,
}

pub const HEADER_BYTES: usize = 8;
/// Bytes of the sample_id that ends every record but SAMPLE: pid, tid, time, cpu, res.
const TRAILER_BYTES: usize = 24;

const LOST: u32 = 2;
const COMM: u32 = 3;
const EXIT: u32 = 4;
const THROTTLE: u32 = 5;
const FORK: u32 = 7;
pub const SAMPLE: u32 = 9;
const MMAP2: u32 = 10;
const LOST_SAMPLES: u32 = 13;
const CGROUP: u32 = 19;

const MISC_COMM_EXEC: u16 = 1 << 13;
const MISC_MMAP_BUILD_ID: u16 = 1 << 14;
const PROT_EXEC: u32 = 4;
const REGS_ABI_64: u64 = 2;
/// Call chain entries from here up are markers (PERF_CONTEXT_MAX), not addresses.
const CONTEXT_MARKERS: u64 = 0xffff_ffff_ffff_f000;
const CONTEXT_USER: u64 = 0xffff_ffff_ffff_fe00;

/// User registers at the moment of the sample. `link` exists on aarch64 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRegisters {
    pub ip: u64,
    pub sp: u64,
    pub fp: u64,
    pub link: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    pub pid: u32,
    pub tid: u32,
    pub time: u64,
    /// Kernel instruction pointers, leaf first, eight bytes each; markers removed by [`Sample::kernel_chain`].
    chain: &'a [u8],
    /// Absent for kernel threads and 32-bit programs.
    pub registers: Option<UserRegisters>,
    /// The copied part of the user stack, starting at `registers.sp`.
    pub stack: &'a [u8],
    /// Cgroup v2 id, 0 when the event does not carry it.
    pub cgroup: u64,
}

impl<'a> Sample<'a> {
    /// Kernel instruction pointers, leaf first.
    pub fn kernel_chain(&self) -> impl Iterator<Item = u64> + 'a {
        self.chain
            .chunks_exact(8)
            .map(|word| u64::from_ne_bytes(word.try_into().unwrap()))
            .take_while(|&ip| ip != CONTEXT_USER)
            .filter(|&ip| ip < CONTEXT_MARKERS)
    }
}

/// A file-backed or anonymous mapping that became executable.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapped<'a> {
    pub pid: u32,
    pub start: u64,
    pub bytes: u64,
    pub file_offset: u64,
    pub device: (u32, u32),
    pub inode: u64,
    pub path: &'a [u8],
}

#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    Sample(Sample<'a>),
    Mapped(Mapped<'a>),
    Comm {
        pid: u32,
        tid: u32,
        exec: bool,
        name: &'a [u8],
    },
    Fork {
        pid: u32,
        parent_pid: u32,
        tid: u32,
        parent_tid: u32,
    },
    Exit {
        pid: u32,
        tid: u32,
    },
    Cgroup {
        id: u64,
        path: &'a [u8],
    },
    Lost {
        records: u64,
    },
    Throttled,
    /// A record kind that carries nothing of interest.
    Other,
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(head)
    }
    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|b| u32::from_ne_bytes(b.try_into().unwrap()))
    }
    fn u64(&mut self) -> Option<u64> {
        self.take(8).map(|b| u64::from_ne_bytes(b.try_into().unwrap()))
    }
    fn words(&mut self, count: u64) -> Option<&'a [u8]> {
        self.take(usize::try_from(count).ok()?.checked_mul(8)?)
    }
}

/// Splits a record header into (type, misc, total size in bytes).
pub fn parse_header(bytes: &[u8; HEADER_BYTES]) -> (u32, u16, u16) {
    let [a, b, c, d, e, f, g, h] = *bytes;
    (u32::from_ne_bytes([a, b, c, d]), u16::from_ne_bytes([e, f]), u16::from_ne_bytes([g, h]))
}

/// Where the timestamp of a record lies, as an offset into the whole record of `size` bytes.
pub fn time_offset(kind: u32, size: usize) -> Option<usize> {
    let offset = if kind == SAMPLE { HEADER_BYTES + 16 } else { size.checked_sub(16)? };
    (offset >= HEADER_BYTES && offset.checked_add(8)? <= size).then_some(offset)
}

/// Parses one record; `body` is everything after the header. `None` when it is shorter than its own fields claim.
pub fn parse<'a>(kind: u32, misc: u16, body: &'a [u8], layout: Layout) -> Option<Record<'a>> {
    if kind == SAMPLE {
        return parse_sample(body, layout).map(Record::Sample);
    }
    let mut c = Cursor { rest: body.get(..body.len().checked_sub(TRAILER_BYTES)?)? };
    Some(match kind {
        MMAP2 => return parse_mapped(c, misc),
        COMM => {
            let (pid, tid) = (c.u32()?, c.u32()?);
            Record::Comm { pid, tid, exec: misc & MISC_COMM_EXEC != 0, name: until_nul(c.rest) }
        }
        FORK => Record::Fork { pid: c.u32()?, parent_pid: c.u32()?, tid: c.u32()?, parent_tid: c.u32()? },
        EXIT => {
            let (pid, _parent_pid) = (c.u32()?, c.u32()?);
            Record::Exit { pid, tid: c.u32()? }
        }
        CGROUP => Record::Cgroup { id: c.u64()?, path: until_nul(c.rest) },
        LOST => {
            c.u64()?;
            Record::Lost { records: c.u64()? }
        }
        LOST_SAMPLES => Record::Lost { records: c.u64()? },
        THROTTLE => Record::Throttled,
        _ => Record::Other,
    })
}

fn parse_mapped(mut c: Cursor<'_>, misc: u16) -> Option<Record<'_>> {
    let (pid, _tid) = (c.u32()?, c.u32()?);
    let (start, bytes, file_offset) = (c.u64()?, c.u64()?, c.u64()?);
    let device = (c.u32()?, c.u32()?);
    let (inode, _generation) = (c.u64()?, c.u64()?);
    let (protection, _flags) = (c.u32()?, c.u32()?);
    if protection & PROT_EXEC == 0 || misc & MISC_MMAP_BUILD_ID != 0 {
        return Some(Record::Other);
    }
    Some(Record::Mapped(Mapped { pid, start, bytes, file_offset, device, inode, path: until_nul(c.rest) }))
}

fn parse_sample(body: &[u8], layout: Layout) -> Option<Sample<'_>> {
    let mut c = Cursor { rest: body };
    let _ip = c.u64()?;
    let (pid, tid, time) = (c.u32()?, c.u32()?, c.u64()?);
    let (_cpu, _period) = (c.u64()?, c.u64()?);
    let chain = if layout.callchain {
        let count = c.u64()?;
        c.words(count)?
    } else {
        &[]
    };
    let abi = c.u64()?;
    let registers = if abi == 0 { None } else { Some(parse_registers(&mut c)?) };
    let dumped = c.u64()?;
    let mut stack: &[u8] = &[];
    if dumped > 0 {
        let dump = c.take(usize::try_from(dumped).ok()?)?;
        stack = dump.get(..usize::try_from(c.u64()?).ok()?.min(dump.len()))?;
    }
    let cgroup = if layout.cgroup { c.u64()? } else { 0 };
    Some(Sample { pid, tid, time, chain, registers: registers.filter(|_| abi == REGS_ABI_64), stack, cgroup })
}

#[cfg(target_arch = "x86_64")]
fn parse_registers(c: &mut Cursor<'_>) -> Option<UserRegisters> {
    Some(UserRegisters { fp: c.u64()?, sp: c.u64()?, ip: c.u64()?, link: 0 })
}

#[cfg(target_arch = "aarch64")]
fn parse_registers(c: &mut Cursor<'_>) -> Option<UserRegisters> {
    Some(UserRegisters { fp: c.u64()?, link: c.u64()?, sp: c.u64()?, ip: c.u64()? })
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&b| b == 0).next().unwrap_or(&[])
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
