use super::*;
use crate::test_random::Random;
use std::io::Write;

fn line(name: &str) -> (String, Option<String>, u32) {
    let line = readable(name);
    (line.function.to_string(), line.file.map(|file| file.to_string()), line.line)
}

#[test]
fn cleans_the_names_of_v8() {
    let named = |function: &str, file: &str, at| (function.to_owned(), Some(file.to_owned()), at);
    assert_eq!(line("JS:*burn /srv/app.js:10:15"), named("burn", "/srv/app.js", 10));
    assert_eq!(line("JS:~burn /srv/app.js:10:15"), line("JS:^burn /srv/app.js:10:15"));
    assert_eq!(line("JS:+ file:///srv/a.mjs:3:1"), named("(anonymous)", "file:///srv/a.mjs", 3));
    assert_eq!(line("LazyCompile:~get size node:internal/x:7"), named("get size", "node:internal/x", 7));
    assert_eq!(line("JS:*f /a b/c.js:1:2"), named("f", "/a b/c.js", 1));
    assert_eq!(line("JS:*f evalmachine.<anonymous>:1:2"), named("f", "evalmachine.<anonymous>", 1));
    assert_eq!(line("JS:*lonely"), ("lonely".into(), None, 0));
    assert_eq!(line("Builtin:ArrayMap"), ("Builtin:ArrayMap".into(), None, 0));
    assert_eq!(line("py::fib:/x.py"), ("py::fib:/x.py".into(), None, 0));
}

fn map_of(text: &[u8]) -> PerfMap {
    let path =
        std::env::temp_dir().join(format!("cinderblock-{}-{:?}.map", std::process::id(), std::thread::current().id()));
    std::fs::write(&path, text).unwrap();
    let mut map =
        PerfMap { file: File::options().read(true).append(true).open(&path).unwrap(), read_bytes: 0, entries: vec![] };
    std::fs::remove_file(&path).unwrap();
    map.refresh();
    map
}

fn name(map: &PerfMap, address: u64) -> Option<String> {
    map.symbol(address).map(|symbol| symbol[0].function.to_string())
}

#[test]
fn later_lines_win_and_growth_is_read_once_complete() {
    let mut map = map_of(b"1000 100 one\n0x2000 0x10 two words\n1000 80 newer\n3000 10 unfini");
    assert_eq!(name(&map, 0x1000).as_deref(), Some("newer"));
    assert_eq!(name(&map, 0x1090), None, "the code that was there is gone");
    assert_eq!(name(&map, 0x200f).as_deref(), Some("two words"));
    assert_eq!(name(&map, 0x3000), None);
    map.file.write_all(b"shed\n").unwrap();
    map.refresh();
    assert_eq!(name(&map, 0x3000).as_deref(), Some("unfinished"));
    map.file.set_len(0).unwrap();
    map.refresh();
    assert_eq!(name(&map, 0x1000), None, "a new map replaces the old one");
}

#[test]
fn hostile_lines_are_skipped() {
    let long = [b"4000 10 ".as_slice(), &vec![b'x'; 200_000], b"\n"].concat();
    let lines: [&[u8]; 8] = [
        b"\n",
        b"zz 10 a\n",
        b"10\n",
        b"10 0 empty\n",
        b"ffffffffffffffff 10 wraps\n",
        b"10 10 \n",
        &long,
        b"5000 10 \xff\xfe\n",
    ];
    let map = map_of(&lines.concat());
    assert_eq!(name(&map, 0x4000).map(|name| name.len()), Some(MAX_NAME_BYTES));
    assert_eq!(name(&map, 0x5005).as_deref(), Some("\u{fffd}\u{fffd}"));
    assert_eq!(map.entries.len(), 2);
}

#[test]
fn arbitrary_bytes_never_panic() {
    let mut random = Random::from_environment();
    let alphabet = b"0123456789abcdefx \n:/JS*~\xff";
    for _ in 0..5000 {
        let text: Vec<u8> =
            (0..random.below(200)).map(|_| alphabet[random.below(alphabet.len() as u64) as usize]).collect();
        let (mut entries, end) = parse(text.as_slice(), 0);
        assert!(end <= text.len() as u64);
        normalise(&mut entries);
        find(&entries, random.below(0x1000));
        readable(&String::from_utf8_lossy(&text));
    }
}
