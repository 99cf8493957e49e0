//! The names of code addresses, found on a thread of their own within a budget of CPU time.
//!
//! The sampling thread asks and never waits; what is not known when a window is written goes out as an address only and
//! is known for the next one.

use crate::elf_names::ElfNames;
use crate::ffi;
use crate::image::Frame;
use crate::kallsyms::{KernelSymbols, KernelText};
use crate::modules::{KERNEL, Module, ModuleId, ModuleKind};
use crate::perf_map::PerfMap;
use crate::symbol::{Line, Symbol};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

/// Addresses remembered; beyond it those not seen for longest are forgotten.
const MAX_NAMES: usize = 60_000;
/// Addresses that may wait for a name; further ones are asked again in a later window.
const MAX_PENDING: usize = 20_000;
/// Addresses named in one step, between which the budget is checked.
const BATCH: usize = 128;
/// Run-time code may move: its names are asked again after this many windows.
const JIT_REFRESH_WINDOWS: u32 = 6;
/// Perf maps kept open.
const MAX_PERF_MAPS: usize = 64;
/// CPU time that may be saved up for a burst, such as the first window.
const BURST_NS: f64 = 1e9;
/// Loaded files are unloaded after being idle this long.
const IDLE: Duration = Duration::from_secs(30);

/// Lower priority than the work of the machine, but not the lowest: a thread that the scheduler forgets for half a second
/// in the middle of a page fault holds the memory map of the whole process.
const NICENESS: i32 = 5;

enum State {
    Pending,
    Known(Symbol),
    Unknown,
}

struct Entry {
    state: State,
    asked_window: u32,
    seen_window: u32,
}

/// Addresses of one module that wait for names; the kernel has no module.
struct Batch {
    module: Option<Arc<Module>>,
    addresses: Vec<u64>,
}

#[derive(Default)]
pub struct Table {
    entries: HashMap<Frame, Entry>,
    waiting: HashMap<ModuleId, Batch>,
    order: VecDeque<ModuleId>,
    pending: usize,
    window: u32,
    /// Where kernel text begins and ends, once known.
    pub kernel_text: Option<KernelText>,
    shed_memory: bool,
    stopping: bool,
}

impl Table {
    /// Number of addresses whose names are being looked for.
    pub fn pending(&self) -> usize {
        self.pending
    }

    pub fn get(&self, frame: &Frame) -> Option<&[Line]> {
        match &self.entries.get(frame)?.state {
            State::Known(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// Starts a new window and forgets names that have not been seen for long if there are too many.
    pub fn begin_window(&mut self) {
        self.window += 1;
        let window = self.window;
        for keep_windows in [30, 6, 1] {
            if self.entries.len() > MAX_NAMES {
                let keep =
                    |entry: &Entry| matches!(entry.state, State::Pending) || entry.seen_window + keep_windows >= window;
                self.entries.retain(|_, entry| keep(entry));
            }
        }
    }

    /// Asks for the name of `frame`; does nothing when it is known or under way.
    fn want(&mut self, frame: Frame, module: Option<&Arc<Module>>) {
        let window = self.window;
        let is_jit = module.is_some_and(|module| matches!(module.kind, ModuleKind::Jit { .. }));
        if let Some(entry) = self.entries.get_mut(&frame) {
            entry.seen_window = window;
            let stale_after = match entry.state {
                State::Unknown if is_jit => 1,
                State::Known(_) if is_jit => JIT_REFRESH_WINDOWS,
                _ => return,
            };
            if window - entry.asked_window < stale_after {
                return;
            }
        }
        if self.pending >= MAX_PENDING {
            return;
        }
        let entry =
            self.entries.entry(frame).or_insert(Entry { state: State::Pending, asked_window: 0, seen_window: window });
        entry.asked_window = window;
        self.pending += 1;
        let order = &mut self.order;
        let batch = self.waiting.entry(frame.module).or_insert_with(|| {
            order.push_back(frame.module);
            Batch { module: module.cloned(), addresses: Vec::new() }
        });
        batch.addresses.push(frame.address);
    }

    /// Takes up to `BATCH` addresses of the module that has waited longest.
    fn take_batch(&mut self) -> Option<(ModuleId, Batch)> {
        let id = self.order.pop_front()?;
        let batch = self.waiting.get_mut(&id)?;
        let rest = batch.addresses.split_off(batch.addresses.len().min(BATCH));
        let addresses = std::mem::replace(&mut batch.addresses, rest);
        let taken = Batch { module: batch.module.clone(), addresses };
        if batch.addresses.is_empty() {
            self.waiting.remove(&id);
        } else {
            self.order.push_back(id);
        }
        Some((id, taken))
    }

    fn store(&mut self, module: ModuleId, addresses: &[u64], symbols: Vec<Option<Symbol>>) {
        self.pending = self.pending.saturating_sub(addresses.len());
        for (&address, symbol) in addresses.iter().zip(symbols) {
            if let Some(entry) = self.entries.get_mut(&Frame { module, address }) {
                entry.state = symbol.map_or(State::Unknown, State::Known);
            }
        }
    }
}

/// The sampling thread's side. It never waits for the lock: the thread that finds names runs at low priority and may be
/// suspended for long while it holds it.
pub struct Names {
    shared: Arc<(Mutex<Table>, Condvar)>,
    enabled: bool,
    asked: Asked,
}

/// What the other thread is told once the lock is free.
#[derive(Default)]
struct Asked {
    /// Addresses and their modules; the kernel has none.
    backlog: Vec<(Frame, Option<Arc<Module>>)>,
    windows_begun: u32,
    shed_memory: bool,
}

impl Names {
    /// Starts the thread; `cpu_percent` of one core is its budget. Without `enabled` nothing is ever named.
    pub fn start(enabled: bool, cpu_percent: u32) -> std::io::Result<Names> {
        let shared = Arc::new((Mutex::new(Table::default()), Condvar::new()));
        if enabled {
            let shared = shared.clone();
            std::thread::Builder::new().name("names".into()).spawn(move || Worker::new(shared, cpu_percent).run())?;
        }
        Ok(Names { shared, enabled, asked: Asked::default() })
    }

    /// Asks for the name of `frame` with the next [`Names::try_table`].
    pub fn want(&mut self, frame: Frame, module: Option<&Arc<Module>>) {
        let has_name = frame.module == KERNEL || module.is_some();
        if self.enabled && has_name && self.asked.backlog.len() < MAX_PENDING {
            self.asked.backlog.push((frame, module.cloned()));
        }
    }

    /// Starts a new window with the next [`Names::try_table`].
    pub fn begin_window(&mut self) {
        self.asked.windows_begun += 1;
    }

    /// Asks the thread to unload what it can load again.
    pub fn shed_memory(&mut self) {
        self.asked.shed_memory = true;
    }

    /// Hands over what was asked, and gives access to the names; `None` while the other thread holds them.
    pub fn try_table(&mut self) -> Option<MutexGuard<'_, Table>> {
        let table = match self.shared.0.try_lock() {
            Ok(table) => table,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(self.asked.hand_over(table, &self.shared.1))
    }

    /// As [`Names::try_table`], but waits.
    pub fn table(&mut self) -> MutexGuard<'_, Table> {
        self.asked.hand_over(lock(&self.shared.0), &self.shared.1)
    }
}

impl Asked {
    fn hand_over<'a>(&mut self, mut table: MutexGuard<'a, Table>, work: &Condvar) -> MutexGuard<'a, Table> {
        self.backlog.drain(..).for_each(|(frame, module)| table.want(frame, module.as_ref()));
        (0..std::mem::take(&mut self.windows_begun)).for_each(|_| table.begin_window());
        table.shed_memory |= std::mem::take(&mut self.shed_memory);
        if table.shed_memory || !table.order.is_empty() {
            work.notify_one();
        }
        table
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        lock(&self.shared.0).stopping = true;
        self.shared.1.notify_one();
    }
}

/// A panic while the lock is held leaves a consistent table: every change is complete before anything can panic.
fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Worker {
    shared: Arc<(Mutex<Table>, Condvar)>,
    budget: CpuBudget,
    elf: ElfNames,
    kernel: Option<KernelSymbols>,
    perf_maps: HashMap<ModuleId, PerfMap>,
}

impl Worker {
    fn new(shared: Arc<(Mutex<Table>, Condvar)>, cpu_percent: u32) -> Worker {
        let budget = CpuBudget::new(cpu_percent);
        Worker { shared, budget, elf: ElfNames::new(), kernel: None, perf_maps: HashMap::new() }
    }

    fn run(mut self) {
        ffi::set_thread_niceness(NICENESS);
        while let Some((id, batch)) = self.next_batch() {
            let started = ffi::thread_cpu_ns();
            let named = catch_unwind(AssertUnwindSafe(|| self.names(&batch)));
            let symbols = named.unwrap_or_else(|_| {
                self.elf = ElfNames::new();
                vec![None; batch.addresses.len()]
            });
            lock(&self.shared.0).store(id, &batch.addresses, symbols);
            self.elf.shrink();
            std::thread::sleep(self.budget.spend(ffi::thread_cpu_ns() - started));
        }
    }

    /// Waits for work; `None` ends the thread.
    fn next_batch(&mut self) -> Option<(ModuleId, Batch)> {
        let shared = self.shared.clone();
        let mut table = lock(&shared.0);
        loop {
            if table.stopping {
                return None;
            }
            if std::mem::take(&mut table.shed_memory) {
                drop(table);
                self.elf.clear();
                table = lock(&shared.0);
            }
            if let Some(batch) = table.take_batch() {
                return Some(batch);
            }
            let (woken, wait) = shared.1.wait_timeout(table, IDLE).unwrap_or_else(std::sync::PoisonError::into_inner);
            table = woken;
            table.shed_memory |= wait.timed_out();
        }
    }

    fn names(&mut self, batch: &Batch) -> Vec<Option<Symbol>> {
        let Some(module) = &batch.module else { return self.kernel_names(&batch.addresses) };
        match module.kind {
            ModuleKind::Jit { pid, namespaced_pid } => self.jit_names(module.id, pid, namespaced_pid, &batch.addresses),
            ModuleKind::Elf { .. } => self.elf.names(module, &batch.addresses),
            ModuleKind::Opaque => vec![None; batch.addresses.len()],
        }
    }

    fn kernel_names(&mut self, addresses: &[u64]) -> Vec<Option<Symbol>> {
        if self.kernel.is_none() {
            let symbols = KernelSymbols::read();
            lock(&self.shared.0).kernel_text = symbols.text_range();
            self.kernel = Some(symbols);
        }
        let kernel = self.kernel.as_ref();
        let symbol = |function| -> Symbol { Arc::new([Line { function, file: None, line: 0 }]) };
        addresses.iter().map(|&address| kernel?.name(address).map(symbol)).collect()
    }

    fn jit_names(&mut self, id: ModuleId, pid: u32, namespaced_pid: u32, addresses: &[u64]) -> Vec<Option<Symbol>> {
        if self.perf_maps.len() >= MAX_PERF_MAPS && !self.perf_maps.contains_key(&id) {
            self.perf_maps.clear();
        }
        if !self.perf_maps.contains_key(&id) {
            self.perf_maps.extend(PerfMap::open(pid, namespaced_pid).map(|map| (id, map)));
        }
        let Some(map) = self.perf_maps.get_mut(&id) else { return vec![None; addresses.len()] };
        map.refresh();
        addresses.iter().map(|&address| map.symbol(address)).collect()
    }
}

/// Turns CPU time spent into time to sleep, so that a share of one core is kept on average.
struct CpuBudget {
    share: f64,
    saved_ns: f64,
    updated: Instant,
}

impl CpuBudget {
    fn new(percent: u32) -> CpuBudget {
        CpuBudget { share: f64::from(percent.max(1)) / 100.0, saved_ns: BURST_NS, updated: Instant::now() }
    }

    /// Accounts for `cpu_ns` and returns how long to rest.
    fn spend(&mut self, cpu_ns: u64) -> Duration {
        let earned = self.updated.elapsed().as_nanos() as f64 * self.share;
        self.updated = Instant::now();
        self.saved_ns = (self.saved_ns + earned).min(BURST_NS) - cpu_ns as f64;
        if self.saved_ns >= 0.0 { Duration::ZERO } else { Duration::from_nanos((-self.saved_ns / self.share) as u64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_asked_once_and_batches_take_turns() {
        let mut table = Table::default();
        let frame = |module, address| Frame { module, address };
        (0..300).chain(0..300).for_each(|address| table.want(frame(KERNEL, address), None));
        table.want(frame(9, 1), None);
        assert_eq!(table.pending(), 301);
        let sizes: Vec<_> =
            std::iter::from_fn(|| table.take_batch()).map(|(id, batch)| (id, batch.addresses.len())).collect();
        assert_eq!(sizes, [(KERNEL, 128), (9, 1), (KERNEL, 128), (KERNEL, 44)]);
        table.store(9, &[1], vec![None]);
        assert_eq!((table.pending(), table.get(&frame(9, 1))), (300, None));
        table.want(frame(9, 1), None);
        assert_eq!(table.pending(), 300, "an unknown name is not asked again");
    }

    #[test]
    fn the_table_forgets_what_was_not_seen() {
        let mut table = Table::default();
        for window in 0..8u64 {
            let addresses: Vec<u64> = (0..15_000).map(|n| window * 15_000 + n).collect();
            addresses.iter().for_each(|&address| table.want(Frame { module: 7, address }, None));
            while table.take_batch().is_some() {}
            table.store(7, &addresses, vec![None; addresses.len()]);
            table.begin_window();
            assert!(table.entries.len() <= MAX_NAMES + 15_000);
        }
        table.want(Frame { module: 7, address: 1 << 40 }, None);
        assert!(table.entries.contains_key(&Frame { module: 7, address: 1 << 40 }));
    }

    #[test]
    fn spending_beyond_the_budget_costs_rest() {
        let mut budget = CpuBudget::new(10);
        assert_eq!(budget.spend(500_000_000), Duration::ZERO, "saved up for a burst");
        let rest = budget.spend(1_000_000_000).as_secs_f64();
        assert!((4.5..=5.0).contains(&rest), "{rest}");
    }

    #[test]
    fn the_thread_names_kernel_functions() {
        let mut names = Names::start(true, 100).unwrap();
        let symbols = KernelSymbols::read();
        let Some(text) = symbols.text_range() else {
            println!("kernel addresses are hidden here: names cannot be compared");
            return;
        };
        let frame = Frame { module: KERNEL, address: text.start + 16 };
        names.want(frame, None);
        let deadline = Instant::now() + Duration::from_secs(20);
        while names.table().pending() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(names.table().get(&frame).unwrap()[0].function, symbols.name(frame.address).unwrap());
        assert_eq!(names.table().kernel_text, Some(text));
    }
}
