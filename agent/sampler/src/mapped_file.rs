//! Opens the file behind a mapping of another process, which may live in another mount namespace and may be hostile: it
//! can plant links, pipes and devices, or replace files. So a path is first resolved to a handle that opens nothing
//! (O_PATH), the handle is checked, and only a regular file with the mapped inode is then opened for reading.

use crate::address_space::Mapping;
use crate::ffi;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

/// No executable is larger; an address space would be, though.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// Opens the file of `mapping`, looking through the eyes of each of `pids` in turn, and last through our own.
pub fn open(pids: &[u32], mapping: &Mapping, device: (u32, u32), inode: u64, path: &str) -> Option<File> {
    for pid in pids {
        // Names the mapping itself, so even a deleted file is found. Needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN.
        let by_range = handle(&format!("/proc/{pid}/map_files/{:x}-{:x}", mapping.start, mapping.end));
        if let Some(file) = by_range.ok().and_then(|handle| open_regular(&handle, inode)) {
            return Some(file);
        }
        if let Some(file) = in_root_of(*pid, path).ok().and_then(|handle| open_regular(&handle, inode)) {
            return Some(file);
        }
    }
    let own = handle(path).ok()?;
    let metadata = own.metadata().ok()?;
    (metadata.dev() == libc::makedev(device.0, device.1)).then(|| open_regular(&own, inode))?
}

fn handle(path: &str) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_CLOEXEC).open(path)
}

fn in_root_of(pid: u32, path: &str) -> io::Result<File> {
    let root = handle(&format!("/proc/{pid}/root"))?;
    ffi::open_in_root(root.as_fd(), path)
}

/// Overlay file systems report one device in mappings and another in stat, so the inode alone decides here.
fn open_regular(handle: &File, inode: u64) -> Option<File> {
    let metadata = handle.metadata().ok()?;
    if !metadata.is_file() || metadata.ino() != inode || metadata.size() == 0 || metadata.size() > MAX_FILE_BYTES {
        return None;
    }
    reopen(handle).ok()
}

/// Opens the file that an O_PATH handle stands for.
pub fn reopen(handle: &File) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags).open(format!("/proc/self/fd/{}", handle.as_raw_fd()))
}

/// Opens a regular file at `path` in the root directory of `pid`, and its owner's user id; at most `max_bytes` long.
pub fn open_data_file(pid: u32, path: &str) -> Option<(File, u32)> {
    let handle = in_root_of(pid, path).ok()?;
    let metadata = handle.metadata().ok().filter(|metadata| metadata.is_file())?;
    Some((reopen(&handle).ok()?, metadata.uid()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_space::Backing;

    fn mapping() -> Mapping {
        Mapping { start: 0, end: 4096, file_offset: 0, backing: Backing::Anonymous }
    }

    #[test]
    fn refuses_pipes_devices_directories_and_other_inodes() {
        let directory = std::env::temp_dir().join(format!("cinderblock-mapped-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("file");
        std::fs::write(&file, "content").unwrap();
        let pid = [std::process::id()];
        let inode = std::fs::metadata(&file).unwrap().ino();
        let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        assert!(open(&pid, &mapping(), (0, 0), inode, &path(&file)).is_some());
        assert!(open(&pid, &mapping(), (0, 0), inode + 1, &path(&file)).is_none());
        let pipe = directory.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for odd in [pipe.as_path(), directory.as_path(), std::path::Path::new("/dev/null")] {
            let inode = std::fs::metadata(odd).unwrap().ino();
            assert!(open(&pid, &mapping(), (0, 0), inode, &path(odd)).is_none(), "{}", odd.display());
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
