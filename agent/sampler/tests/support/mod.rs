//! Runs the sampler and known programs beside it.

pub mod otlp_decode;

use otlp_decode::Process;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread::JoinHandle;

const SAMPLER: &str = env!("CARGO_BIN_EXE_cinderblock-sampler");

/// Samples per second in these tests: high, to keep them short.
pub const FREQUENCY: u64 = 499;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Holds back other tests, or tells why this machine cannot be sampled. In CI that is a failure.
pub fn permission() -> Option<MutexGuard<'static, ()>> {
    let check = Command::new(SAMPLER).arg("--check").output().unwrap();
    let report = String::from_utf8(check.stdout).unwrap();
    if !check.status.success() {
        assert!(std::env::var_os("CI").is_none(), "{report}");
        println!("not run: {report}");
        return None;
    }
    Some(ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

/// A directory that is removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("cinderblock-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    /// Compiles the known program under `name`.
    pub fn compile(&self, name: &str, flags: &[&str]) -> PathBuf {
        let output = self.0.join(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/ground_truth.c");
        let fixed = ["-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls"];
        let compiled = Command::new("cc").args(fixed).args(flags).arg("-o").arg(&output).arg(source).status().unwrap();
        assert!(compiled.success());
        output
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A sampler that is running.
pub struct Sampler {
    pub child: Child,
    reader: JoinHandle<Vec<(u8, Vec<u8>)>>,
}

impl Sampler {
    pub fn start(arguments: &[&str]) -> Sampler {
        let frequency = FREQUENCY.to_string();
        let mut command = Command::new(SAMPLER);
        command.args(["--frequency", &frequency, "--window", "1", "--symbol-cpu", "100"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut hello = [0; 5];
        stdout.read_exact(&mut hello).unwrap();
        let mut payload = vec![0; u32::from_le_bytes(hello[..4].try_into().unwrap()) as usize];
        stdout.read_exact(&mut payload).unwrap();
        assert_eq!(hello[4], 4, "the first frame is hello, once sampling has begun");
        let reader = std::thread::spawn(move || read_frames(stdout, vec![(4, payload)]));
        Sampler { child, reader }
    }

    /// Ends the sampler by closing its stdin.
    pub fn stop(mut self) -> Profile {
        drop(self.child.stdin.take());
        self.collect()
    }

    /// Ends the sampler by a signal, with its stdin still open.
    pub fn signal(self, name: &str) -> Profile {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
        self.collect()
    }

    fn collect(mut self) -> Profile {
        let frames = self.reader.join().unwrap();
        assert!(self.child.wait().unwrap().success(), "the sampler ends cleanly");
        Profile::new(frames)
    }
}

fn read_frames(mut stdout: impl Read, mut frames: Vec<(u8, Vec<u8>)>) -> Vec<(u8, Vec<u8>)> {
    let mut bytes = vec![];
    stdout.read_to_end(&mut bytes).unwrap();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        assert!(length < 4 << 20);
        frames.push((rest[4], rest[5..5 + length].to_vec()));
        rest = &rest[5 + length..];
    }
    frames
}

/// Everything that one run of the sampler wrote.
pub struct Profile {
    pub hello: HashMap<String, String>,
    pub windows: Vec<HashMap<String, u64>>,
    /// Profiles before each status frame.
    pub processes: Vec<Vec<Process>>,
}

impl Profile {
    fn new(frames: Vec<(u8, Vec<u8>)>) -> Profile {
        let mut profile = Profile { hello: HashMap::new(), windows: vec![], processes: vec![vec![]] };
        for (kind, payload) in frames {
            match kind {
                1 => profile.processes.last_mut().unwrap().extend(otlp_decode::decode(&payload)),
                2 => {
                    let status = flat_json(&payload).into_iter().map(|(key, value)| (key, value.parse().unwrap()));
                    profile.windows.push(status.collect());
                    profile.processes.push(vec![]);
                }
                3 => println!("{}", String::from_utf8(payload).unwrap()),
                4 => profile.hello = flat_json(&payload),
                other => panic!("frame kind {other}"),
            }
        }
        assert_eq!(profile.processes.pop().map(|rest| rest.len()), Some(0), "the last frame is a status");
        profile
    }

    /// Sum of one status field over all windows.
    pub fn total(&self, field: &str) -> u64 {
        self.windows.iter().map(|window| window[field]).sum()
    }

    pub fn all_processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter().flatten()
    }

    /// Samples of the process with this executable name, as (functions leaf first, value).
    pub fn stacks_of(&self, name: &str) -> Vec<(Vec<&str>, u64)> {
        let named = self.all_processes().filter(|process| process.attributes["process.executable.name"] == name);
        named.flat_map(|process| process.samples.iter().map(|sample| (sample.functions(), sample.value))).collect()
    }
}

/// Reads a JSON object of strings without escapes and integers.
fn flat_json(text: &[u8]) -> HashMap<String, String> {
    let text = std::str::from_utf8(text).unwrap();
    let fields = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap();
    let clean = |part: &str| part.trim_matches('"').to_owned();
    fields
        .split(',')
        .map(|field| field.split_once(':').map(|(key, value)| (clean(key), clean(value))).unwrap())
        .collect()
}

/// Runs a program to its end and returns what it printed.
pub fn finish(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

pub fn spawn(program: &Path, arguments: &[&str]) -> Child {
    Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap()
}
