//! Reads /proc: the state of processes that were already running, or whose records were not seen.

use crate::address_space::{Backing, Mapping};
use std::fs;
use std::io::Read;

/// More than any real /proc file read here; a process with a larger map list is cut.
const MAX_BYTES: u64 = 8 << 20;

fn read(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Executable mappings of a process in order of address; `None` when it is gone.
pub fn executable_mappings(pid: u32) -> Option<Vec<Mapping>> {
    let maps = read(&format!("/proc/{pid}/maps"))?;
    Some(maps.lines().filter_map(parse_maps_line).collect())
}

/// Parses a line of /proc/PID/maps (proc_pid_maps(5)); `None` for a mapping that is not executable.
pub fn parse_maps_line(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let offset = fields.next()?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let inode = fields.next()?.parse().ok()?;
    let path = fields.next().unwrap_or("").trim_start();
    if permissions.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let device = (hex(major)? as u32, hex(minor)? as u32);
    let (start, end) = (hex(start)?, hex(end)?);
    (start < end).then_some(Mapping {
        start,
        end,
        file_offset: hex(offset)?,
        backing: Backing::of(path, device, inode),
    })
}

/// Ids of all processes.
pub fn all_pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Name of a thread, as shown by `ps`.
pub fn thread_name(pid: u32, tid: u32) -> Option<String> {
    read(&format!("/proc/{pid}/task/{tid}/comm")).map(|name| name.trim_end_matches('\n').to_owned())
}

/// Name of the main thread.
pub fn process_name(pid: u32) -> Option<String> {
    read(&format!("/proc/{pid}/comm")).map(|name| name.trim_end_matches('\n').to_owned())
}

/// Path of the executable as the process sees it; `None` for kernel threads and processes that are gone.
pub fn executable_path(pid: u32) -> Option<String> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?.to_string_lossy().into_owned();
    Some(path.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(path))
}

/// Id of the parent process: field 4 of /proc/PID/stat, which follows a name that may hold spaces and brackets.
pub fn parent_pid(pid: u32) -> Option<u32> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    stat[stat.rfind(')')? + 1..].split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Id of a process in its own PID namespace: the last number of `NSpid` in /proc/PID/status.
pub fn namespaced_pid(pid: u32) -> Option<u32> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().last()?.parse().ok()
}

/// The text of /proc/PID/cgroup.
pub fn cgroup_file(pid: u32) -> Option<String> {
    read(&format!("/proc/{pid}/cgroup"))
}

/// Resident bytes of this process.
pub fn own_resident_bytes() -> u64 {
    let pages = read("/proc/self/statm").and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * crate::ffi::page_bytes() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_maps_lines() {
        let line = "7f0c-7f1c r-xp 00002000 fe:01 77   /usr/lib/a b.so (deleted)";
        let mapping = parse_maps_line(line).unwrap();
        assert_eq!((mapping.start, mapping.end, mapping.file_offset), (0x7f0c, 0x7f1c, 0x2000));
        assert_eq!(mapping.backing, Backing::File { device: (0xfe, 1), inode: 77, path: "/usr/lib/a b.so".into() });
        assert_eq!(parse_maps_line("10-20 rwxp 0 00:00 0 ").unwrap().backing, Backing::Anonymous);
        assert_eq!(parse_maps_line("10-20 r-xp 0 00:00 0    [vdso]").unwrap().backing, Backing::Vdso);
        for broken in ["", "10-20 r--p 0 00:00 0", "20-10 r-xp 0 00:00 0", "x-y r-xp 0 00:00 0", "10-20 r-xp 0 0000 0"]
        {
            assert_eq!(parse_maps_line(broken), None, "{broken}");
        }
    }

    #[test]
    fn reads_its_own_process() {
        let pid = std::process::id();
        assert_eq!(parent_pid(pid), Some(std::os::unix::process::parent_id()));
        assert!(executable_path(pid).unwrap().contains("cinderblock"));
        assert!(executable_mappings(pid).unwrap().windows(2).all(|pair| pair[0].end <= pair[1].start));
        assert!(namespaced_pid(pid).is_some() && cgroup_file(pid).is_some() && own_resident_bytes() > 0);
    }
}
