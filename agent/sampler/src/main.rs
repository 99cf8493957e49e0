//! `cinderblock-sampler`: samples a whole Linux machine through perf_event_open and writes OTLP profiles to stdout.
//!
//! Rings are drained in order of time (`rings`, `ring`, `reorder`), records keep the picture of processes up to date
//! (`records`, `session`, `processes`, `address_space`), samples are unwound (`image`, `unwind`, `modules`) and counted
//! (`aggregate`), and every window is named (`names`) and written (`export`, `otlp`, `frames`). Unsafe code is in `ffi`
//! alone.
#![deny(unsafe_code)]

mod address_space;
mod aggregate;
mod args;
mod cgroup;
mod clock;
mod elf;
mod elf_names;
mod export;
#[allow(unsafe_code)]
mod ffi;
mod frames;
mod image;
mod json;
mod kallsyms;
mod mapped_file;
mod modules;
mod names;
mod otlp;
#[cfg(test)]
#[path = "../tests/support/otlp_decode.rs"]
mod otlp_decode;
mod perf_event;
mod perf_map;
mod proc_files;
mod processes;
mod records;
mod reorder;
mod ring;
mod rings;
mod sampler;
mod session;
mod sha256;
mod status;
mod symbol;
mod symbol_table;
#[cfg(test)]
mod test_random;
mod unwind;
mod window_writer;

use args::{Command, Options};
use std::process::ExitCode;
use std::sync::Mutex;

/// Where the last panic happened. Panics are contained per sample, so nothing is printed when one is raised.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = info.to_string().replace('\n', " ");
        }
    }));
    match args::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => print_line(args::HELP.trim_end()),
        Ok(Command::Version) => print_line(&format!("cinderblock-sampler {}", env!("CARGO_PKG_VERSION"))),
        Ok(Command::Check(options)) => check(&options),
        Ok(Command::Sample(options)) => sample(options),
        Err(problem) => fail(&problem),
    }
}

fn print_line(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("cinderblock-sampler: {problem}");
    ExitCode::FAILURE
}

fn sample(options: Options) -> ExitCode {
    match std::panic::catch_unwind(|| sampler::run(options)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(problem)) => fail(&problem),
        Err(_) => fail(&format!("internal error: {}", LAST_PANIC.lock().map_or(String::new(), |last| last.clone()))),
    }
}

/// Opens and closes the events without sampling, and says in JSON whether that works.
fn check(options: &Options) -> ExitCode {
    let report = json::Object::new();
    match rings::Rings::open(options) {
        Ok(_) => print_line(&report.boolean("ok", true).finish()),
        Err(error) => {
            let refusal = perf_event::explain(&error);
            let report = report.boolean("ok", false).string("reason", &refusal.reason).string("remedy", refusal.remedy);
            println!("{}", report.finish());
            ExitCode::FAILURE
        }
    }
}
