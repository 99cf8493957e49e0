//! Names of code made at run time, from the perf map that a runtime writes beside it:
//! `/tmp/perf-<pid>.map`, lines of `start size name` with hexadecimal numbers.
//!
//! The file belongs to the sampled process, so it may be huge, broken or not a file at all. Only the index is kept in
//! memory; a name is read from the file when it is asked for. A file that has grown is read from where it ended.

use crate::mapped_file;
use crate::symbol::{Line, Symbol};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A map is read up to here.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Entries kept per process: 5 MB.
const MAX_ENTRIES: usize = 200_000;
/// A longer name is cut.
const MAX_NAME_BYTES: usize = 1024;
/// A longer line is skipped.
const MAX_LINE_BYTES: u64 = 64 << 10;

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u64,
    bytes: u32,
    /// Offset of the name in the file; it ends with the line. Later lines replace earlier ones.
    name_at: u32,
}

/// The perf map of one process.
pub struct PerfMap {
    file: File,
    /// Bytes read so far, always at the start of a line.
    read_bytes: u64,
    entries: Vec<Entry>,
}

impl PerfMap {
    /// Opens the map of a process; `None` when there is none, or it belongs to somebody else.
    pub fn open(pid: u32, namespaced_pid: u32) -> Option<PerfMap> {
        use std::os::unix::fs::MetadataExt;
        let (file, owner) = mapped_file::open_data_file(pid, &format!("/tmp/perf-{namespaced_pid}.map"))?;
        let process_owner = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        (owner == process_owner || owner == 0).then_some(PerfMap { file, read_bytes: 0, entries: Vec::new() })
    }

    /// Reads what was appended since the last call.
    pub fn refresh(&mut self) {
        let bytes = self.file.metadata().map_or(0, |metadata| metadata.len()).min(MAX_FILE_BYTES);
        if bytes < self.read_bytes {
            (self.read_bytes, self.entries) = (0, Vec::new());
        }
        if bytes > self.read_bytes && (&self.file).seek(SeekFrom::Start(self.read_bytes)).is_ok() {
            let added = parse(BufReader::new((&self.file).take(bytes - self.read_bytes)), self.read_bytes);
            self.read_bytes = added.1;
            self.entries.extend(added.0);
            normalise(&mut self.entries);
        }
    }

    /// The function that holds `address`.
    pub fn symbol(&self, address: u64) -> Option<Symbol> {
        let entry = find(&self.entries, address)?;
        let mut bytes = vec![0; MAX_NAME_BYTES];
        let count = self.file.read_at(&mut bytes, entry.name_at.into()).ok()?;
        let name = bytes[..count].split(|&byte| byte == b'\n').next()?;
        Some(Arc::new([readable(&String::from_utf8_lossy(name))]))
    }
}

/// Parses complete lines; returns the entries and the offset after the last complete line.
fn parse(mut reader: impl BufRead, start: u64) -> (Vec<Entry>, u64) {
    let mut entries = Vec::new();
    let (mut offset, mut line) = (start, Vec::new());
    loop {
        line.clear();
        let Ok(bytes) = (&mut reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line) else { break };
        let complete = line.last() == Some(&b'\n') || bytes as u64 == MAX_LINE_BYTES;
        if bytes == 0 || !complete {
            break;
        }
        entries.extend(parse_line(&line, offset).filter(|_| entries.len() < MAX_ENTRIES));
        offset += bytes as u64;
    }
    (entries, offset)
}

fn parse_line(line: &[u8], offset: u64) -> Option<Entry> {
    let first = line.iter().position(|&byte| byte == b' ')?;
    let second = first + 1 + line[first + 1..].iter().position(|&byte| byte == b' ')?;
    let hex = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok()
    };
    let (start, bytes) = (hex(&line[..first])?, hex(&line[first + 1..second])?);
    let name_at = u32::try_from(offset.checked_add(second as u64 + 1)?).ok()?;
    let has_name = line.get(second + 1).is_some_and(|&byte| byte != b'\n');
    (bytes > 0 && start.checked_add(bytes).is_some() && has_name).then(|| Entry {
        start,
        bytes: bytes.min(u32::MAX.into()) as u32,
        name_at,
    })
}

/// Sorts by address and drops what newer code has taken the place of.
fn normalise(entries: &mut Vec<Entry>) {
    entries.sort_by_key(|entry| (entry.start, std::cmp::Reverse(entry.name_at)));
    entries.dedup_by_key(|entry| entry.start);
    entries.truncate(MAX_ENTRIES);
}

/// The newest entry that holds `address`, among the few that begin shortly before it.
fn find(entries: &[Entry], address: u64) -> Option<&Entry> {
    const LOOK_BACK: usize = 8;
    let end = entries.partition_point(|entry| entry.start <= address);
    let holds = |entry: &&Entry| address - entry.start < entry.bytes.into();
    entries[end.saturating_sub(LOOK_BACK)..end].iter().filter(holds).max_by_key(|entry| entry.name_at)
}

/// Turns V8's `JS:*name file:line:column` into a function with its file and line; other names stay as they are.
///
/// The mark before the name tells the tier of the compiler (`~` interpreter, `^` baseline, `+` and `*` optimizing). It
/// is dropped, so that one function is one function however hot it is.
fn readable(name: &str) -> Line {
    let prefixes = ["JS:", "LazyCompile:", "Function:", "Script:", "Eval:"];
    let Some(script) = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)) else {
        return Line { function: name.into(), file: None, line: 0 };
    };
    let script = script.trim_start_matches(['~', '^', '+', '*', '\'', '-']);
    let (place, line) = split_position(script);
    let file_at = ["file://", "node:", "/"].iter().filter_map(|start| find_word(place, start)).min();
    let file_at = file_at.or_else(|| place.rfind(' ').map(|space| space + 1)).unwrap_or(place.len());
    let (function, file) = place.split_at(file_at);
    let function = if function.trim().is_empty() { "(anonymous)" } else { function.trim() };
    Line { function: function.into(), file: (!file.is_empty()).then(|| file.into()), line }
}

/// Splits `text:line:column` or `text:line`; line 0 when there is none.
fn split_position(text: &str) -> (&str, u32) {
    let number =
        |text: &str| text.rsplit_once(':').and_then(|(head, tail)| Some((head.len(), tail.parse::<u32>().ok()?)));
    let Some((end, last)) = number(text) else { return (text, 0) };
    match number(&text[..end]) {
        Some((end, line)) => (&text[..end], line),
        None => (&text[..end], last),
    }
}

/// Where a word that begins with `start` begins.
fn find_word(text: &str, start: &str) -> Option<usize> {
    text.match_indices(start).map(|(at, _)| at).find(|&at| at == 0 || text.as_bytes()[at - 1] == b' ')
}

#[cfg(test)]
#[path = "perf_map_tests.rs"]
mod tests;
