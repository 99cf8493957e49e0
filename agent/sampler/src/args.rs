//! The command line.

use crate::records::Layout;

pub const HELP: &str = "\
Samples every process of this machine and writes OTLP profiles to stdout, for the Cinderblock agent.

Usage: cinderblock-sampler [options]

  --frequency HZ          samples per second and CPU, 1 to 999 (default 19)
  --window SECONDS        length of a window, 1 to 3600 (default 10)
  --clock-offset-ms N     clock of the hub minus the local clock (default 0)
  --stack-bytes N         bytes of user stack per sample, a multiple of 8, 8 to 65528 (default 24576)
  --pid PID               only this process; may be repeated
  --no-kernel             leave out kernel frames; kernel time counts for the user frames that asked for it
  --no-symbols            send addresses without names
  --symbol-cpu PERCENT    CPU budget for finding names, percent of one core, 1 to 100 (default 10)
  --ring-pages N          pages of ring buffer per CPU, a power of two, 16 to 16384 (default by frequency)
  --check                 test whether this machine can be sampled; prints one line of JSON
  --version, --help
";

#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub frequency: u32,
    pub window_seconds: u32,
    pub clock_offset_ms: i64,
    pub stack_bytes: u32,
    pub pids: Vec<u32>,
    pub kernel: bool,
    pub symbols: bool,
    pub symbol_cpu: u32,
    pub ring_pages: Option<usize>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            frequency: 19,
            window_seconds: 10,
            clock_offset_ms: 0,
            stack_bytes: 24576,
            pids: vec![],
            kernel: true,
            symbols: true,
            symbol_cpu: 10,
            ring_pages: None,
        }
    }
}

impl Options {
    /// The record layout that is asked for; the kernel may grant less.
    pub fn wanted_layout(&self) -> Layout {
        Layout { callchain: self.kernel, cgroup: true }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Sample(Options),
    Check(Options),
    Version,
    Help,
}

/// Parses the arguments after the program name. The error is one line for the user.
pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut options = Options::default();
    let mut check = false;
    while let Some(argument) = args.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || inline.clone().or_else(|| args.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--frequency" => options.frequency = number(&name, value()?, 1, 999)? as u32,
            "--window" => options.window_seconds = number(&name, value()?, 1, 3600)? as u32,
            "--clock-offset-ms" => options.clock_offset_ms = number(&name, value()?, -(1 << 50), 1 << 50)?,
            "--stack-bytes" => options.stack_bytes = stack_bytes(&name, value()?)?,
            "--pid" => options.pids.push(number(&name, value()?, 1, i64::from(u32::MAX))? as u32),
            "--symbol-cpu" => options.symbol_cpu = number(&name, value()?, 1, 100)? as u32,
            "--ring-pages" => options.ring_pages = Some(ring_pages(&name, value()?)?),
            "--no-kernel" => options.kernel = false,
            "--no-symbols" => options.symbols = false,
            "--check" => check = true,
            "--version" => return Ok(Command::Version),
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option {name}; see --help")),
        }
    }
    Ok(if check { Command::Check(options) } else { Command::Sample(options) })
}

fn number(name: &str, text: String, least: i64, most: i64) -> Result<i64, String> {
    let value = text.parse::<i64>().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| format!("{name} must be a whole number from {least} to {most}, not {text}"))
}

fn stack_bytes(name: &str, text: String) -> Result<u32, String> {
    let bytes = number(name, text, 8, 65528)?;
    if bytes % 8 == 0 { Ok(bytes as u32) } else { Err(format!("{name} must be a multiple of 8, not {bytes}")) }
}

fn ring_pages(name: &str, text: String) -> Result<usize, String> {
    let pages = number(name, text, 16, 16384)? as usize;
    if pages.is_power_of_two() { Ok(pages) } else { Err(format!("{name} must be a power of two, not {pages}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_ascii_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_every_option() {
        let line = "--frequency 99 --window=5 --clock-offset-ms -250 --stack-bytes 32768 --pid 7 --pid 8 --no-kernel \
            --no-symbols --symbol-cpu 3 --ring-pages 64";
        let expected = Options {
            frequency: 99,
            window_seconds: 5,
            clock_offset_ms: -250,
            stack_bytes: 32768,
            pids: vec![7, 8],
            kernel: false,
            symbols: false,
            symbol_cpu: 3,
            ring_pages: Some(64),
        };
        assert_eq!(parsed(line), Ok(Command::Sample(expected)));
        assert_eq!(parsed(""), Ok(Command::Sample(Options::default())));
        assert_eq!(parsed("--check"), Ok(Command::Check(Options::default())));
        assert_eq!(parsed("--version"), Ok(Command::Version));
    }

    #[test]
    fn says_what_is_wrong() {
        for (line, problem) in [
            ("--frequency 0", "--frequency must be a whole number from 1 to 999, not 0"),
            ("--frequency 1000", "--frequency must be a whole number from 1 to 999, not 1000"),
            ("--stack-bytes 9", "--stack-bytes must be a multiple of 8, not 9"),
            ("--ring-pages 48", "--ring-pages must be a power of two, not 48"),
            ("--window", "--window needs a value"),
            ("--fast", "unknown option --fast; see --help"),
        ] {
            assert_eq!(parsed(line), Err(problem.to_owned()));
        }
    }
}
