use super::*;

fn empty() -> Processes {
    Processes { by_pid: HashMap::new(), thread_names: HashMap::new(), next_serial: 1 }
}

fn mapped(pid: u32, start: u64, path: &[u8]) -> Mapped<'_> {
    Mapped { pid, start, bytes: 0x1000, file_offset: 0, device: (8, 1), inode: start, path }
}

/// A pid above the kernel's limit, so that /proc never has it.
const GONE: u32 = 1 << 30;

#[test]
fn a_child_starts_with_the_mappings_of_its_parent_and_an_exec_drops_them() {
    let mut processes = empty();
    processes.forked(1, GONE, 0, GONE, 0);
    processes.renamed(2, GONE, GONE, b"sh", true);
    processes.mapped(3, &mapped(GONE, 0x1000, b"/bin/sh"));
    processes.forked(4, GONE + 1, GONE, GONE + 1, GONE);
    let before = processes.by_pid[&(GONE + 1)].serial;
    assert_eq!(processes.by_pid[&(GONE + 1)].space.mappings(), processes.by_pid[&GONE].space.mappings());
    assert_eq!(&*processes.thread_name(GONE + 1, GONE + 1), "sh");
    processes.renamed(5, GONE + 1, GONE + 1, b"true", true);
    processes.mapped(6, &mapped(GONE + 1, 0x9000, b"/bin/true"));
    let child = &processes.by_pid[&(GONE + 1)];
    assert_ne!(child.serial, before, "an exec is another program");
    assert_eq!(child.space.mappings().len(), 1);
    assert_eq!((child.parent_pid, child.program_name().as_str()), (GONE, "true"));
    assert_eq!(child.executable.as_deref(), Some("/bin/true"));
}

#[test]
fn records_older_than_a_read_of_proc_are_ignored() {
    let mut processes = empty();
    let pid = std::process::id();
    processes.read_from_proc(pid, 100);
    let count = processes.by_pid[&pid].space.mappings().len();
    processes.renamed(99, pid, pid, b"old", true);
    processes.mapped(99, &mapped(pid, 0x1000, b"/old"));
    processes.forked(99, pid, 1, pid, 1);
    processes.exited(99, pid, pid);
    let process = &processes.by_pid[&pid];
    assert_eq!((process.space.mappings().len(), process.exited_at), (count, None));
    processes.mapped(101, &mapped(pid, 0x1000, b"/new"));
    assert_eq!(processes.by_pid[&pid].space.mappings().len(), count + 1);
}

#[test]
fn processes_are_forgotten_some_time_after_their_exit() {
    let mut processes = empty();
    processes.forked(1, GONE, 0, GONE, 0);
    processes.exited(10, GONE, GONE + 5);
    processes.sweep(10 + 2 * EXITED_KEEP_NS);
    assert_eq!(processes.len(), 1, "only a thread has ended");
    processes.exited(10, GONE, GONE);
    processes.sweep(11);
    assert_eq!(processes.len(), 1);
    processes.sweep(10 + EXITED_KEEP_NS);
    assert_eq!(processes.len(), 0);
}

#[test]
fn a_program_is_named_by_its_file_and_a_kernel_thread_by_its_thread() {
    let mut processes = empty();
    processes.forked(1, GONE, 0, GONE, 0);
    processes.renamed(2, GONE, GONE, b"MainThread", true);
    assert_eq!(processes.by_pid[&GONE].program_name(), "MainThread");
    processes.mapped(3, &mapped(GONE, 0x1000, b"/opt/node"));
    assert_eq!(processes.by_pid[&GONE].program_name(), "node");
}

#[test]
fn a_vanished_stranger_still_gets_a_process() {
    let mut processes = empty();
    let process = processes.sampled(5, GONE, &mut Modules::new(4));
    assert!(process.image().is_some());
    let description = process.describe(5, 0, &CgroupPaths::scan());
    assert_eq!((description.pid, description.name.as_str(), description.container.as_deref()), (GONE, "", None));
}
