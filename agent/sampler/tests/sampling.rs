//! The sampler against programs whose profile is known. Needs the permission to sample; see `support::permission`.

mod support;

use support::{FREQUENCY, Profile, Sampler, Scratch, finish, permission, spawn};

/// Every sample taken must be written, and one status frame must follow each window.
fn assert_complete(profile: &Profile) {
    for (window, processes) in profile.windows.iter().zip(&profile.processes) {
        let written: u64 = processes.iter().flat_map(|process| &process.samples).map(|sample| sample.value).sum();
        assert_eq!(window["taken"], window["kept"], "{window:?}");
        assert_eq!((window["kept"], window["dropped"]), (written, 0), "{window:?}");
        assert_eq!(window["rooted"] + window["truncated"], window["userStacks"], "{window:?}");
        assert_eq!(window["unwindErrors"], 0);
        for process in processes {
            assert_eq!(process.start / 1_000_000, window["windowStartMs"]);
            assert!(process.duration <= 1_000_000_000 && process.start % 1_000_000_000 == 0);
            assert_eq!(process.period, 1_000_000_000 / FREQUENCY);
            assert_eq!((process.sample_type.0.as_str(), process.period_type.0.as_str()), ("samples", "cpu"));
        }
    }
    // A machine that is busy beyond its means may hold the sampler up; what that costs is known, and little.
    let (lost, taken) = (profile.total("lost"), profile.total("taken"));
    println!("{taken} samples taken, {lost} lost");
    assert!(lost * 20 <= taken, "{lost} lost of {taken}");
}

/// Samples in each of the three functions of the known program, and in all of it.
fn shares(profile: &Profile, name: &str) -> ([u64; 3], u64) {
    let stacks = profile.stacks_of(name);
    let within = |function| stacks.iter().filter(|(stack, _)| stack.contains(&function)).map(|(_, value)| value).sum();
    (["work_a", "work_b", "work_c"].map(within), stacks.iter().map(|(_, value)| value).sum())
}

fn user_mode_samples(profile: &Profile, name: &str) -> u64 {
    let named = profile.all_processes().filter(|process| process.attributes["process.executable.name"] == name);
    let samples = named.flat_map(|process| &process.samples);
    samples.filter(|sample| sample.stack[0].frame_type != "kernel").map(|sample| sample.value).sum()
}

fn assert_shares(name: &str, found: [u64; 3]) {
    let total: u64 = found.iter().sum();
    assert!(total >= 1500, "{name}: {found:?} are too few to judge");
    for (count, share) in found.into_iter().zip([0.6, 0.3, 0.1f64]) {
        // Four standard deviations: twelve comparisons per run then fail by chance once in a thousand runs.
        let allowed = 4.0 * (share * (1.0 - share) / total as f64).sqrt();
        let seen = count as f64 / total as f64;
        assert!((seen - share).abs() <= allowed, "{name}: {seen:.3} instead of {share} ± {allowed:.3}: {found:?}");
    }
}

#[test]
fn known_programs_have_their_known_profiles() {
    let Some(_turn) = permission() else { return };
    let scratch = Scratch::new("truth");
    // Name, compiler flags, depth of calls, whether 16 KiB of stack reach the root.
    let variants: [(&str, &[&str], &str, bool); 4] = [
        ("truth-plain", &[], "24", true),
        ("truth-static", &["-static"], "24", true),
        ("truth-deep", &["-no-pie"], "300", true),
        ("truth-too-deep", &["-s", "-rdynamic"], "3000", false),
    ];
    let programs: Vec<_> = variants.iter().map(|(name, flags, ..)| scratch.compile(name, flags)).collect();
    let sampler = Sampler::start(&[]);
    let children: Vec<_> =
        variants.iter().zip(&programs).map(|((_, _, depth, _), path)| spawn(path, &["3.4", depth])).collect();
    let cpu_seconds: Vec<f64> = children.into_iter().map(|child| finish(child).trim().parse().unwrap()).collect();
    let profile = sampler.stop();
    assert_complete(&profile);
    for ((name, _, depth, fits), cpu_seconds) in variants.into_iter().zip(cpu_seconds) {
        let (found, all) = shares(&profile, name);
        assert_shares(name, found);
        let expected = cpu_seconds * FREQUENCY as f64;
        // Interrupts are sampled in the process that they interrupt, but are not part of its CPU time.
        let in_user_mode = user_mode_samples(&profile, name);
        let most = all + profile.total("lost");
        let in_range = in_user_mode as f64 <= expected * 1.03 && most as f64 >= expected * 0.97;
        assert!(in_range, "{name}: {all} samples, {in_user_mode} in user mode, instead of {expected:.0}");
        let depth: usize = depth.parse().unwrap();
        let is_whole = |stack: &Vec<&str>| {
            let calls = stack.iter().filter(|function| **function == "descend").count();
            calls == depth + 1 && stack.contains(&"main") && !stack.contains(&"[truncated]")
        };
        // Start and end of the process lie outside of its rounds, and take longer on a busy machine.
        let mut stacks = profile.stacks_of(name);
        stacks.retain(|(stack, _)| ["work_a", "work_b", "work_c"].iter().any(|function| stack.contains(function)));
        let all: u64 = stacks.iter().map(|(_, value)| value).sum();
        let whole: u64 = stacks.iter().filter(|(stack, _)| is_whole(stack)).map(|(_, value)| value).sum();
        if fits {
            assert!(whole * 100 >= all * 99, "{name}: {whole} of {all} stacks reach the root");
        } else {
            let marked = stacks.iter().filter(|(stack, _)| stack.last() == Some(&"[truncated]") && stack.len() > 100);
            let marked: u64 = marked.map(|(_, value)| value).sum();
            assert!(whole == 0 && marked * 100 >= all * 99, "{name}: {marked} of {all} stacks are marked");
        }
    }
}

#[test]
fn short_lived_processes_are_attributed() {
    let Some(_turn) = permission() else { return };
    let scratch = Scratch::new("storm");
    let program = scratch.compile("storm-short", &[]);
    let sampler = Sampler::start(&[]);
    for _ in 0..150 {
        finish(spawn(&program, &["0.006"]));
    }
    let profile = sampler.stop();
    assert_complete(&profile);
    let parent = std::process::id().to_string();
    let children = || profile.all_processes().filter(|process| process.attributes["process.parent_pid"] == parent);
    let user_leaves = || {
        let samples = children().flat_map(|process| &process.samples);
        samples.filter_map(|sample| {
            Some((sample.stack.iter().find(|location| location.frame_type == "native")?, sample.value))
        })
    };
    let all: u64 = user_leaves().map(|(_, value)| value).sum();
    let attributed: u64 = user_leaves().filter(|(leaf, _)| leaf.mapping != 0).map(|(_, value)| value).sum();
    println!("{attributed} of {all} samples of short-lived processes attributed");
    assert!(all >= 300 && attributed * 10 >= all * 9, "{attributed} of {all}");
    let named: u64 = shares(&profile, "storm-short").0.iter().sum();
    assert!(named * 3 >= all, "{named} of {all} samples name their work");
}

#[test]
fn a_deleted_program_keeps_its_names_lines_and_inlined_functions() {
    let Some(_turn) = permission() else { return };
    let scratch = Scratch::new("deleted");
    let program = scratch.compile("deleted-program", &["-g"]);
    let child = spawn(&program, &["1.5"]);
    std::thread::sleep(std::time::Duration::from_millis(50));
    std::fs::remove_file(&program).unwrap();
    let sampler = Sampler::start(&[]);
    finish(child);
    let profile = sampler.signal("TERM");
    assert_complete(&profile);
    let source = include_str!("../testdata/ground_truth.c");
    let line_of = |text: &str| 1 + source.lines().position(|line| line.contains(text)).unwrap() as u64;
    let process =
        profile.all_processes().find(|process| process.attributes["process.executable.name"] == "deleted-program");
    let process = process.expect("the program was sampled");
    let has_inlined =
        |location: &&support::otlp_decode::Location| location.lines.iter().any(|line| line.function == "mix");
    let inlined: Vec<_> = process.samples.iter().filter_map(|sample| sample.stack.iter().find(has_inlined)).collect();
    assert!(!inlined.is_empty());
    assert!(process.samples.iter().all(|sample| sample.thread_name == "deleted-program"));
    for location in inlined {
        let [inner, outer] = &location.lines[..] else { unreachable!() };
        assert_eq!(inner.line, line_of("the inlined line"), "{location:?}");
        assert!(inner.file.ends_with("ground_truth.c"));
        assert!(outer.function.starts_with("work_") && outer.line >= line_of("WORK(work_a)"), "{location:?}");
        assert!(location.mapping_file.ends_with("/deleted-program"));
        assert!(location.mapping_attributes.contains_key("process.executable.build_id.gnu"));
        assert!((location.mapping_start..location.mapping_limit).contains(&location.address));
    }
}

#[test]
fn a_stop_flushes_the_partial_window() {
    let Some(_turn) = permission() else { return };
    let scratch = Scratch::new("stop");
    let program = scratch.compile("stop-program", &[]);
    for signal in ["TERM", "INT"] {
        let child = spawn(&program, &["0.5"]);
        let sampler = Sampler::start(&["--window", "3600", "--no-symbols"]);
        finish(child);
        let profile = sampler.signal(signal);
        assert_eq!(profile.windows.len(), 1);
        assert_eq!((profile.hello["engine"].as_str(), profile.hello["windowMs"].as_str()), ("perf", "3600000"));
        assert!(profile.windows[0]["taken"] > 0 && profile.windows[0]["taken"] == profile.windows[0]["kept"]);
        let process =
            profile.all_processes().find(|process| process.attributes["process.executable.name"] == "stop-program");
        let process = process.expect("the program was sampled");
        assert!(process.duration < 60_000_000_000, "a partial window says how long it was");
        assert!(process.samples.iter().all(|sample| sample.functions().is_empty()), "no symbols were asked for");
    }
}

#[test]
fn only_the_wanted_process_and_no_kernel_frames() {
    let Some(_turn) = permission() else { return };
    let scratch = Scratch::new("wanted");
    let program = scratch.compile("wanted-program", &[]);
    let (wanted, other) = (spawn(&program, &["0.8"]), spawn(&program, &["0.8"]));
    let pid = wanted.id().to_string();
    let sampler = Sampler::start(&["--no-kernel", "--pid", &pid]);
    finish(wanted);
    finish(other);
    let profile = sampler.stop();
    assert_complete(&profile);
    assert!(profile.total("taken") > 50);
    assert_eq!(profile.total("kernelStacks"), 0);
    for process in profile.all_processes() {
        assert_eq!(process.attributes["process.pid"], pid);
        let kernel = |sample: &support::otlp_decode::Sample| {
            sample.stack.iter().any(|l| l.frame_type == "kernel" && l.address != 0)
        };
        assert!(!process.samples.iter().any(kernel));
    }
}

#[test]
fn code_made_at_run_time_is_named_by_its_perf_map() {
    let Some(_turn) = permission() else { return };
    let node = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../node_modules/node/bin/node");
    if !node.exists() {
        println!("not run: {} is not installed", node.display());
        return;
    }
    let scratch = Scratch::new("jit");
    let script = scratch.0.join("burn.js");
    let source = "function burnCinders(n) { let x = 1; for (let i = 0; i < n; i++) x = (x * 31 + i) % 1000003; return x }\n\
        let s = 0; while (process.cpuUsage().user < 2e6) s += burnCinders(20000); console.log(s)";
    std::fs::write(&script, source).unwrap();
    let sampler = Sampler::start(&[]);
    let child = spawn(&node, &["--perf-basic-prof", "--no-opt", "--no-maglev", script.to_str().unwrap()]);
    let pid = child.id();
    finish(child);
    let profile = sampler.stop();
    let _ = std::fs::remove_file(format!("/tmp/perf-{pid}.map"));
    assert_complete(&profile);
    let process = || profile.all_processes().filter(|process| process.attributes["process.pid"] == pid.to_string());
    let samples = || process().flat_map(|process| &process.samples);
    let all: u64 = samples().map(|sample| sample.value).sum();
    let named = samples().filter(|sample| {
        let burns = |line: &support::otlp_decode::Line| {
            line.function == "burnCinders" && line.file.ends_with("burn.js") && line.line == 1
        };
        sample.stack.iter().any(|location| location.frame_type == "jit" && location.lines.iter().any(burns))
    });
    let named: u64 = named.map(|sample| sample.value).sum();
    println!("{named} of {all} samples of node name the script's function");
    assert!(all > 500 && named * 2 > all, "{named} of {all}");
}

#[test]
fn a_container_is_known_by_the_cgroup_of_the_sample() {
    let Some(_turn) = permission() else { return };
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
    let id = "c1de7".repeat(13)[..64].to_owned();
    let group = std::path::Path::new(mount.unwrap_or("/nonexistent")).join(format!("docker-{id}.scope"));
    if let Err(error) = std::fs::create_dir_all(&group) {
        println!("not run: cannot make a cgroup ({error})");
        return;
    }
    let scratch = Scratch::new("cgroup");
    scratch.compile("in-container", &[]);
    let sampler = Sampler::start(&[]);
    let script = format!("echo $$ > {}/cgroup.procs && exec {}/in-container 0.6", group.display(), scratch.0.display());
    finish(spawn(std::path::Path::new("/bin/sh"), &["-c", &script]));
    let profile = sampler.stop();
    std::fs::remove_dir(&group).unwrap();
    let inside: Vec<_> =
        profile.all_processes().filter(|p| p.attributes["process.executable.name"] == "in-container").collect();
    assert!(!inside.is_empty());
    assert!(inside.iter().all(|process| process.attributes["container.id"] == id));
}
