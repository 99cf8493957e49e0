use super::*;
use crate::modules::{Modules, UNKNOWN};
use crate::otlp_decode::decode;
use std::sync::Arc;

const TIMES: ProfileTimes = ProfileTimes { start: 1, duration: 2, period: 3 };

fn description(pid: u32) -> Arc<Description> {
    let name = format!("program-{pid}");
    Arc::new(Description { pid, parent_pid: 1, name, executable: None, cgroup: Some("/a".into()), container: None })
}

#[test]
fn writes_each_kind_of_frame() {
    let mut modules = Modules::new(8);
    let jit = modules.jit(std::process::id());
    let mut samples = Samples::default();
    samples.hold(&jit);
    let frame = |module, address| Frame { module, address };
    let frames =
        [frame(KERNEL, 0x5010), frame(KERNEL, 0x9000), frame(jit.id, 7), frame(UNKNOWN, 8), frame(TRUNCATED, 0)];
    let (stack, _) = samples.stack(&frames);
    samples.describe(4, description(4));
    samples.add(4, &"main".into(), stack);
    let mut table = Table::default();
    table.kernel_text = Some(KernelText { start: 0x5000, end: 0x6000 });
    let exported = export(&samples, &table, Some("beef"), TIMES);
    let [process] = decode(&exported.chunks[0].bytes).try_into().unwrap();
    assert_eq!(process.attributes["process.executable.name"], "program-4");
    assert_eq!(process.attributes["cgroup.path"], "/a");
    assert!(!process.attributes.contains_key("container.id"));
    let found: Vec<_> =
        process.samples[0].stack.iter().map(|l| (l.frame_type.as_str(), l.mapping_file.as_str(), l.address)).collect();
    let expected = [
        ("kernel", "[kernel.kallsyms]", 0x10),
        ("kernel", "", 0x9000),
        ("jit", "", 7),
        ("native", "", 8),
        ("native", "", 0),
    ];
    assert_eq!(found, expected);
    assert_eq!(process.samples[0].functions(), ["[truncated]"]);
    assert_eq!(process.samples[0].stack[0].mapping_attributes["process.executable.build_id.gnu"], "beef");
}

#[test]
fn a_large_window_is_split_without_losing_a_sample() {
    let mut samples = Samples::default();
    let mut expected = 0;
    for serial in 1..=5u64 {
        samples.describe(serial, description(serial as u32));
        for number in 0..600u64 {
            let frames: Vec<_> = (0..200)
                .map(|depth| Frame { module: UNKNOWN, address: (serial * 600 + number) * 1000 + depth })
                .collect();
            let (stack, _) = samples.stack(&frames);
            (0..1 + number % 3).for_each(|_| samples.add(serial, &"t".into(), stack));
            expected += 1 + number % 3;
        }
    }
    let exported = export(&samples, &Table::default(), None, TIMES);
    assert!(exported.chunks.len() > 2);
    assert!(exported.chunks.iter().all(|chunk| chunk.bytes.len() < 4 << 20));
    let values = |chunk: &Chunk| -> u64 {
        decode(&chunk.bytes).iter().flat_map(|process| &process.samples).map(|sample| sample.value).sum()
    };
    assert!(exported.chunks.iter().all(|chunk| values(chunk) == chunk.samples));
    assert_eq!(exported.chunks.iter().map(|chunk| chunk.samples).sum::<u64>(), expected);
}
