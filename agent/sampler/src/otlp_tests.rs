use super::*;
use crate::otlp_decode::{Line, decode};

const TIMES: ProfileTimes =
    ProfileTimes { start: 1_700_000_000_000_000_000, duration: 10_000_000_000, period: 52_631_578 };

fn export() -> Vec<u8> {
    let mut export = Export::new();
    let dictionary = &mut export.dictionary;
    let fields = MappingFields {
        start: 0x1000,
        limit: 0x9000,
        file_offset: 0x1000,
        file_name: "/bin/app",
        build_id: Some(("process.executable.build_id.gnu", "c0ffee")),
    };
    let mapping = dictionary.mapping((7, 0), &fields);
    assert_eq!(dictionary.mapping((7, 0), &fields), mapping);
    let key = |address| LocationKey { module: 7, address };
    let inlined = [("inner", "a.c", 3), ("outer", "b.c", 400)];
    let leaf = dictionary.location(key(0x1234), mapping, 0x1234, inlined.into_iter(), "native");
    assert_eq!(dictionary.known_location(&key(0x1234)), Some(leaf));
    let root = dictionary.location(key(u64::MAX), 0, u64::MAX, [].into_iter(), "kernel");
    let stack = dictionary.stack(&[leaf, root]);
    assert_eq!(dictionary.stack(&[leaf, root]), stack);
    let thread = dictionary.attribute("thread.name", "worker");
    let mut samples = ProfileSamples::default();
    samples.add(stack, thread, 300);
    let attributes = [("process.pid", Value::Integer(42)), ("container.id", Value::Text("abc"))];
    export.add_process(&attributes, &samples, TIMES);
    let bytes = export.bytes();
    let encoded = export.finish();
    assert!(encoded.len() >= bytes && encoded.len() < bytes + 64, "the running size is honest");
    encoded
}

#[test]
fn what_is_written_is_read_back() {
    let [process] = decode(&export()).try_into().unwrap();
    assert_eq!(
        (process.attributes["process.pid"].as_str(), process.attributes["container.id"].as_str()),
        ("42", "abc")
    );
    assert_eq!(process.sample_type, ("samples".into(), "count".into()));
    assert_eq!(process.period_type, ("cpu".into(), "nanoseconds".into()));
    assert_eq!((process.start, process.duration, process.period), (TIMES.start, TIMES.duration, TIMES.period));
    let [sample] = process.samples.try_into().unwrap();
    assert_eq!((sample.value, sample.thread_name.as_str()), (300, "worker"));
    let [leaf, root] = sample.stack.try_into().unwrap();
    assert_eq!((leaf.address, leaf.mapping_start, leaf.mapping_limit), (0x1234, 0x1000, 0x9000));
    assert_eq!((leaf.mapping_file.as_str(), leaf.frame_type.as_str()), ("/bin/app", "native"));
    assert_eq!(leaf.mapping_attributes["process.executable.build_id.gnu"], "c0ffee");
    let line = |function: &str, file: &str, line| Line { function: function.into(), file: file.into(), line };
    assert_eq!(leaf.lines, [line("inner", "a.c", 3), line("outer", "b.c", 400)]);
    assert_eq!((root.address, root.mapping, root.lines.len(), root.frame_type.as_str()), (u64::MAX, 0, 0, "kernel"));
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    assert_eq!(export(), export());
}
