use super::*;
use crate::test_random::Random;

const FULL: Layout = Layout { callchain: true, cgroup: true };

struct Bytes(Vec<u8>);

impl Bytes {
    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }
    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
    fn trailer(self) -> Vec<u8> {
        self.u32(1).u32(2).u64(3).u64(0).0
    }
}

fn sample_body() -> Vec<u8> {
    let head = Bytes(vec![]).u64(0x10).u32(7).u32(8).u64(99).u64(1).u64(52_631_578);
    let chain = head.u64(5).u64(0xffff_ffff_ffff_ff80).u64(0xffff_8000_0000_0001).u64(0xffff_8000_0000_0002);
    let chain = chain.u64(CONTEXT_USER).u64(0x4000);
    let registers = chain.u64(2).u64(0xb9).u64(0x5b).u64(0x19);
    registers.u64(16).raw(&[7; 16]).u64(8).u64(25).0
}

#[test]
fn reads_a_sample() {
    let body = sample_body();
    let Some(Record::Sample(sample)) = parse(SAMPLE, 0, &body, FULL) else { panic!("no sample") };
    assert_eq!((sample.pid, sample.tid, sample.time, sample.cgroup), (7, 8, 99, 25));
    assert_eq!(sample.kernel_chain().collect::<Vec<_>>(), [0xffff_8000_0000_0001, 0xffff_8000_0000_0002]);
    assert_eq!(sample.registers, Some(UserRegisters { ip: 0x19, sp: 0x5b, fp: 0xb9, link: 0 }));
    assert_eq!(sample.stack, [7; 8]);
}

#[test]
fn a_sample_cut_anywhere_is_refused() {
    let body = sample_body();
    for length in 0..body.len() {
        assert_eq!(parse(SAMPLE, 0, &body[..length], FULL), None, "cut at {length}");
    }
}

#[test]
fn a_kernel_thread_has_neither_registers_nor_stack() {
    let head = Bytes(vec![]).u64(0x10).u32(2).u32(2).u64(99).u64(1).u64(1);
    let body = head.u64(0).u64(0).u64(0).u64(1).0;
    let Some(Record::Sample(sample)) = parse(SAMPLE, 0, &body, FULL) else { panic!("no sample") };
    assert_eq!((sample.registers, sample.stack.len(), sample.cgroup), (None, 0, 1));
}

#[test]
fn reads_process_records() {
    let comm = Bytes(vec![]).u32(5).u32(6).raw(b"make\0\0\0\0").trailer();
    assert_eq!(
        parse(COMM, MISC_COMM_EXEC, &comm, FULL),
        Some(Record::Comm { pid: 5, tid: 6, exec: true, name: b"make" })
    );
    let fork = Bytes(vec![]).u32(5).u32(4).u32(5).u32(4).u64(1).trailer();
    assert_eq!(parse(FORK, 0, &fork, FULL), Some(Record::Fork { pid: 5, parent_pid: 4, tid: 5, parent_tid: 4 }));
    let lost = Bytes(vec![]).u64(1).u64(31).trailer();
    assert_eq!(parse(LOST, 0, &lost, FULL), Some(Record::Lost { records: 31 }));
    let cgroup = Bytes(vec![]).u64(25).raw(b"/a/b\0\0\0\0").trailer();
    assert_eq!(parse(CGROUP, 0, &cgroup, FULL), Some(Record::Cgroup { id: 25, path: b"/a/b" }));
}

#[test]
fn reads_executable_mappings_only() {
    let mapping = |protection| {
        let head = Bytes(vec![]).u32(5).u32(5).u64(0x1000).u64(0x2000).u64(0x3000).u32(8).u32(1);
        head.u64(77).u64(0).u32(protection).u32(2).raw(b"/bin/x\0\0").trailer()
    };
    let body = mapping(5);
    let Some(Record::Mapped(mapped)) = parse(MMAP2, 0, &body, FULL) else { panic!("no mapping") };
    assert_eq!((mapped.start, mapped.bytes, mapped.file_offset), (0x1000, 0x2000, 0x3000));
    assert_eq!((mapped.device, mapped.inode, mapped.path), ((8, 1), 77, b"/bin/x".as_slice()));
    assert_eq!(parse(MMAP2, 0, &mapping(1), FULL), Some(Record::Other));
}

#[test]
fn arbitrary_bytes_never_panic() {
    let mut random = Random::from_environment();
    let seed_body = sample_body();
    for _ in 0..50_000 {
        let mut body = if random.below(2) == 0 { seed_body.clone() } else { vec![0; random.below(300) as usize] };
        for _ in 0..1 + random.below(12) {
            if !body.is_empty() {
                let at = random.below(body.len() as u64) as usize;
                body[at] = [0, 1, 0x7f, 0x80, 0xff, random.next() as u8][random.below(6) as usize];
            }
        }
        body.truncate(random.below(body.len() as u64 + 1) as usize);
        let layout = Layout { callchain: random.below(2) == 0, cgroup: random.below(2) == 0 };
        let kind = random.below(24) as u32;
        if let Some(Record::Sample(sample)) = parse(kind, random.next() as u16, &body, layout) {
            assert!(sample.stack.len() <= body.len());
            assert!(sample.kernel_chain().count() <= body.len() / 8);
        }
        if let Some(offset) = time_offset(kind, body.len()) {
            assert!(offset + 8 <= body.len());
        }
    }
}
