//! Which control group, and so which container, a process runs in.
//!
//! A sample names its cgroup v2 directory by number, which holds even for a process that is gone. Where only cgroup v1
//! is used that number is always the root, and /proc/PID/cgroup decides.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Cgroups remembered; a node with more finds the rest through /proc.
const MAX_CGROUPS: usize = 65_536;
/// Number of the root directory of every cgroup v2 hierarchy.
const ROOT_ID: u64 = 1;

/// Paths of cgroup v2 directories by their number.
pub struct CgroupPaths {
    paths: HashMap<u64, Arc<str>>,
}

impl CgroupPaths {
    /// Reads the directories that exist now; later ones are announced by records.
    pub fn scan() -> CgroupPaths {
        let mut found = CgroupPaths { paths: HashMap::new() };
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        if let Some(mount) = mounts.lines().find_map(cgroup2_mount_point) {
            found.scan_directory(Path::new(mount), "");
        }
        found
    }

    fn scan_directory(&mut self, root: &Path, start: &str) {
        let mut pending = vec![PathBuf::from(start)];
        while let Some(relative) = pending.pop() {
            let directory = root.join(&relative);
            if let Ok(metadata) = fs::metadata(&directory) {
                self.insert(metadata.ino(), &format!("/{}", relative.display()));
            }
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) && self.paths.len() + pending.len() < MAX_CGROUPS {
                    pending.push(relative.join(entry.file_name()));
                }
            }
        }
    }

    /// Remembers that cgroup `id` has `path`.
    pub fn insert(&mut self, id: u64, path: &str) {
        if self.paths.len() < MAX_CGROUPS || self.paths.contains_key(&id) {
            self.paths.insert(id, path.into());
        }
    }

    /// Path of a cgroup, unless it is the root or unknown.
    pub fn path(&self, id: u64) -> Option<&Arc<str>> {
        if id <= ROOT_ID { None } else { self.paths.get(&id).filter(|path| &***path != "/") }
    }
}

/// The mount point in a line of /proc/self/mountinfo (proc_pid_mountinfo(5)) that mounts cgroup v2.
fn cgroup2_mount_point(line: &str) -> Option<&str> {
    let (mount, source) = line.split_once(" - ")?;
    source.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4))?
}

/// The path in the text of /proc/PID/cgroup that says most: one with a container, else the unified one, else any.
pub fn path_of_process(text: &str) -> Option<&str> {
    let paths =
        || text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).filter(|path| *path != "/" && !path.is_empty());
    let unified = || text.lines().find_map(|line| line.strip_prefix("0::")).filter(|path| *path != "/");
    paths().find(|path| container_id(path).is_some()).or_else(unified).or_else(|| paths().next())
}

/// The container id in a cgroup path: the last part that ends in 64 hex digits, or in the `<32 hex>-<digits>` of ECS,
/// give or take `.scope`. `crio-conmon-…` is the runtime's monitor beside the container, not the workload.
pub fn container_id(path: &str) -> Option<&str> {
    path.rsplit('/').filter(|part| !part.starts_with("crio-conmon-")).find_map(|part| {
        let part = part.strip_suffix(".scope").unwrap_or(part);
        hex_tail(part, 64).or_else(|| ecs_tail(part))
    })
}

fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex_tail(part: &str, digits: usize) -> Option<&str> {
    let (head, tail) = part.as_bytes().split_at_checked(part.len().checked_sub(digits)?)?;
    let starts_here = !head.last().is_some_and(|&byte| is_hex(&[byte]));
    (is_hex(tail) && starts_here).then(|| &part[head.len()..])
}

fn ecs_tail(part: &str) -> Option<&str> {
    let (task, number) = part.rsplit_once('-')?;
    let numeric = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let task = hex_tail(task, 32).filter(|_| numeric)?;
    Some(&part[part.len() - number.len() - 1 - task.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn finds_containers_in_the_paths_of_every_runtime() {
        let corpus = [
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod11_22.slice/cri-containerd-{}.scope",
            "0::/kubepods/besteffort/pod11-22/{}",
            "0::/kubepods/besteffort/pod11-22/crio-{}",
            "0::/kubepods.slice/kubepods-pod11_22.slice/crio-{}.scope",
            "0::/system.slice/docker-{}.scope",
            "0::/system.slice/docker-{}.scope/init",
            "0::/kubepods.slice/kubepods-pod11_22.slice/docker-{}.scope",
            "11:memory:/kubepods/besteffort/pod11-22/{}",
            "3:cpu:/system.slice/containerd.service/kubepods-besteffort-pod11.slice:cri-containerd:{}",
            "0::/../../kubepods-burstable-pod11.slice/cri-containerd-{}.scope",
            "0::/kubelet/kubepods/pod11/{}",
            "0::/docker/{}/system.slice/nginx.service",
        ];
        for line in corpus {
            let line = line.replace("{}", ID);
            let path = path_of_process(&line).unwrap();
            assert_eq!(container_id(path), Some(ID), "{line}");
        }
        let ecs = "0123456789abcdef0123456789abcdef-1234567890";
        assert_eq!(container_id(&format!("/ecs/0123456789abcdef0123456789abcdef/{ecs}")), Some(ecs));
        let inner = ID.replace('0', "f");
        assert_eq!(container_id(&format!("/docker/{ID}/docker/{inner}")), Some(inner.as_str()));
    }

    #[test]
    fn finds_none_where_there_is_none() {
        let uuid = "/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-868f9513-eee8-457d-8e36-1b37ae8ae622.scope";
        for path in ["/", "", uuid, &format!("/x/crio-conmon-{ID}.scope"), &format!("/x/0{ID}"), &ID[1..], "/a/é"] {
            assert_eq!(container_id(path), None, "{path}");
        }
        assert_eq!(path_of_process("0::/\n"), None);
        assert_eq!(path_of_process("broken"), None);
    }

    #[test]
    fn prefers_the_line_with_a_container() {
        let text = format!("12:pids:/user.slice\n11:memory:/docker/{ID}\n0::/system.slice\n");
        assert_eq!(path_of_process(&text), Some(format!("/docker/{ID}").as_str()));
        assert_eq!(path_of_process("12:pids:/user.slice\n0::/system.slice\n"), Some("/system.slice"));
        assert_eq!(path_of_process("12:pids:/user.slice\n0::/\n"), Some("/user.slice"));
    }

    #[test]
    fn knows_cgroup2_mounts() {
        let line = "35 25 0:30 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(cgroup2_mount_point(line), Some("/sys/fs/cgroup/unified"));
        assert_eq!(cgroup2_mount_point("35 25 0:30 / /sys rw - sysfs sysfs rw"), None);
    }
}
