//! The JSON frames: hello, one status per window, and log lines.

use crate::aggregate::Counters;
use crate::args::Options;
use crate::json::Object;

/// State of the sampler itself at the end of a window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Condition {
    /// CPU used during the window.
    pub cpu_ns: u64,
    pub rss_bytes: u64,
    pub named_locations: u64,
    pub pending_names: u64,
    pub processes: u64,
    pub modules: u64,
}

/// The first frame.
pub fn hello(options: &Options) -> String {
    let object =
        Object::new().string("version", env!("CARGO_PKG_VERSION")).integer("frequency", options.frequency.into());
    let object = object.integer("windowMs", u64::from(options.window_seconds) * 1000);
    object.integer("pid", std::process::id().into()).string("engine", "perf").finish()
}

/// The frame after the profiles of a window. `kept` is the sum of all values written.
pub fn window(start_ms: u64, end_ms: u64, kept: u64, counters: &Counters, condition: &Condition) -> String {
    Object::new()
        .integer("windowStartMs", start_ms)
        .integer("windowEndMs", end_ms)
        .integer("taken", counters.taken)
        .integer("kept", kept)
        .integer("dropped", counters.dropped)
        .integer("lost", counters.lost)
        .integer("throttled", counters.throttled)
        .integer("unattributed", counters.unattributed)
        .integer("truncated", counters.truncated)
        .integer("rooted", counters.rooted)
        .integer("userStacks", counters.user_stacks)
        .integer("kernelStacks", counters.kernel_stacks)
        .integer("unwindErrors", counters.unwind_errors)
        .integer("cpuNs", condition.cpu_ns)
        .integer("rssBytes", condition.rss_bytes)
        .integer("symbolized", condition.named_locations)
        .integer("pendingSymbols", condition.pending_names)
        .integer("processes", condition.processes)
        .integer("modules", condition.modules)
        .finish()
}

/// A line for the supervisor's log.
pub fn log(level: &str, message: &str) -> String {
    Object::new().string("level", level).string("message", message).finish()
}
