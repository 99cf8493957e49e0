//! Every unsafe call of the sampler: system calls, shared mappings and one signal handler, wrapped so that the rest of
//! the program can forbid unsafe code.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Size of `perf_event_attr` up to PERF_ATTR_SIZE_VER7 (linux/perf_event.h).
pub const ATTR_BYTES: usize = 128;

const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;
/// Offsets of `data_head` and `data_tail` in `perf_event_mmap_page`.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Opens one perf event for all processes on one CPU.
pub fn perf_event_open(attr: &[u8; ATTR_BYTES], cpu: i32) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads `size` (128) bytes from `attr`, which is exactly its length; it returns a new descriptor.
    unsafe {
        let fd = libc::syscall(libc::SYS_perf_event_open, attr.as_ptr(), -1i32, cpu, -1i32, PERF_FLAG_FD_CLOEXEC);
        Ok(OwnedFd::from_raw_fd(check(fd)? as RawFd))
    }
}

/// Starts counting on a perf event that was opened disabled.
pub fn perf_event_enable(event: &OwnedFd) -> io::Result<()> {
    // SAFETY: the request takes no pointer.
    check(unsafe { libc::ioctl(event.as_raw_fd(), PERF_EVENT_IOC_ENABLE as _, 0) } as libc::c_long).map(|_| ())
}

/// The shared ring buffer of one perf event: a control page and 2^n data pages.
pub struct RingMap {
    base: *mut u8,
    data_bytes: usize,
}

// SAFETY: the mapping is owned by this value, and the kernel side is synchronised through head and tail.
unsafe impl Send for RingMap {}

impl RingMap {
    /// Maps `1 + data_pages` pages of `event`; `data_pages` must be a power of two (the kernel refuses others).
    pub fn map(event: &OwnedFd, data_pages: usize) -> io::Result<RingMap> {
        let page = page_bytes();
        let length = (1 + data_pages) * page;
        // SAFETY: a fresh shared mapping at an address of the kernel's choice.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(RingMap { base: base.cast(), data_bytes: data_pages * page })
    }

    /// Number of data bytes, a power of two.
    pub fn data_bytes(&self) -> usize {
        self.data_bytes
    }

    /// Where the kernel will write next, a byte count that only grows.
    pub fn head(&self) -> u64 {
        // SAFETY: the control page is mapped and the offset is 8-byte aligned; acquire orders the data reads after it.
        unsafe { (*(self.base.add(DATA_HEAD) as *const AtomicU64)).load(Ordering::Acquire) }
    }

    /// Hands everything before `tail` back to the kernel. `&mut self` ends every borrow of the data first.
    pub fn set_tail(&mut self, tail: u64) {
        // SAFETY: as in `head`; release orders the data reads before the store.
        unsafe { (*(self.base.add(DATA_TAIL) as *const AtomicU64)).store(tail, Ordering::Release) }
    }

    /// The data area. Only bytes between tail and head are stable; the caller reads no others.
    pub fn data(&self) -> &[u8] {
        // SAFETY: the data pages follow the control page and live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.base.add(page_bytes()), self.data_bytes) }
    }
}

impl Drop for RingMap {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `map` mapped.
        unsafe { libc::munmap(self.base.cast(), self.data_bytes + page_bytes()) };
    }
}

/// A read-only private mapping of a byte range of a file. A file that shrinks under it reads as zeros, see
/// [`survive_shrinking_files`].
pub struct FileMap {
    base: *mut u8,
    mapped_bytes: usize,
    skip: usize,
    length: usize,
}

// SAFETY: the mapping is read-only and owned by this value.
unsafe impl Send for FileMap {}
// SAFETY: as above; shared reads of memory that nobody in this process writes.
unsafe impl Sync for FileMap {}

impl FileMap {
    /// Maps `[offset, offset + length)` of `file`.
    pub fn map(file: &File, offset: u64, length: usize) -> io::Result<FileMap> {
        let skip = (offset % page_bytes() as u64) as usize;
        let mapped_bytes = length.checked_add(skip).filter(|&bytes| bytes > 0).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a fresh private read-only mapping at an address of the kernel's choice.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped_bytes,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                (offset - skip as u64) as libc::off_t,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(FileMap { base: base.cast(), mapped_bytes, skip, length })
    }

    /// Gives the resident pages back; they return from the page cache when read again.
    pub fn release_pages(&self) {
        // SAFETY: the range is ours and its content comes from the file, so dropping pages changes no byte.
        unsafe { libc::madvise(self.base.cast(), self.mapped_bytes, libc::MADV_DONTNEED) };
    }
}

impl Deref for FileMap {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `skip + length` bytes are mapped for as long as `self` lives.
        unsafe { std::slice::from_raw_parts(self.base.add(self.skip), self.length) }
    }
}

impl Drop for FileMap {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `map` mapped.
        unsafe { libc::munmap(self.base.cast(), self.mapped_bytes) };
    }
}

extern "C" fn replace_faulting_page(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: async-signal-safe calls only. The page had no content left, so a zero page takes its place; any other kind
    // of bus error restores the default action and faults again.
    unsafe {
        let page = page_bytes();
        let address = ((*info).si_addr() as usize) & !(page - 1);
        let replaced = (*info).si_code == libc::BUS_ADRERR
            && libc::mmap(
                address as *mut libc::c_void,
                page,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            ) != libc::MAP_FAILED;
        if !replaced {
            libc::signal(libc::SIGBUS, libc::SIG_DFL);
        }
    }
}

/// Any process may truncate a library that is mapped here; reading past its new end must not end the sampler.
pub fn survive_shrinking_files() {
    // SAFETY: installs a handler that only makes async-signal-safe calls.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = replace_faulting_page as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
}

/// Asks the kernel to end this process when its parent ends.
pub fn die_with_parent() {
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
}

/// Blocks SIGTERM and SIGINT in this thread and those it starts, and returns a descriptor that becomes readable instead.
pub fn termination_signals() -> io::Result<OwnedFd> {
    // SAFETY: `set` is initialised by sigemptyset before use.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGTERM);
        libc::sigaddset(&mut set, libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        let fd = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        Ok(OwnedFd::from_raw_fd(check(fd as libc::c_long)? as RawFd))
    }
}

/// One descriptor to wait for, and what happened to it.
#[derive(Clone, Copy)]
pub struct Wait {
    raw: libc::pollfd,
}

impl Wait {
    /// Waits until `fd` is readable.
    pub fn readable(fd: RawFd) -> Wait {
        Wait { raw: libc::pollfd { fd, events: libc::POLLIN, revents: 0 } }
    }
    /// Waits only for errors, such as a pipe whose reader is gone.
    pub fn closed(fd: RawFd) -> Wait {
        Wait { raw: libc::pollfd { fd, events: 0, revents: 0 } }
    }
    pub fn fd(&self) -> RawFd {
        self.raw.fd
    }
    /// Readable, or at its end.
    pub fn is_ready(&self) -> bool {
        self.raw.revents != 0
    }
    /// In error or hung up.
    pub fn is_closed(&self) -> bool {
        self.raw.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0
    }
}

/// Sleeps until something happens to one of `waits` or `timeout_ms` have passed.
pub fn poll(waits: &mut [Wait], timeout_ms: i32) {
    // SAFETY: Wait is a transparent holder of one pollfd.
    unsafe { libc::poll(waits.as_mut_ptr().cast(), waits.len() as libc::nfds_t, timeout_ms) };
}

const _: () = assert!(std::mem::size_of::<Wait>() == std::mem::size_of::<libc::pollfd>());

fn clock(id: libc::clockid_t) -> u64 {
    // SAFETY: `time` is plain data that the call fills in.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(id, &mut time);
        time
    };
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}

/// Nanoseconds of CLOCK_MONOTONIC, the clock of the samples.
pub fn monotonic_ns() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}
/// Nanoseconds since 1970.
pub fn realtime_ns() -> u64 {
    clock(libc::CLOCK_REALTIME)
}
/// CPU nanoseconds used by this process.
pub fn process_cpu_ns() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}
/// CPU nanoseconds used by the calling thread.
pub fn thread_cpu_ns() -> u64 {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Sets the niceness of the calling thread, from -20 (first) to 19 (last); stays as it is where that is not permitted.
pub fn set_thread_niceness(niceness: i32) {
    // SAFETY: no pointers; "process" 0 means the calling thread on Linux.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) };
}

/// Bytes of a page.
pub fn page_bytes() -> usize {
    // SAFETY: no pointers.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Raises the limit of open files to what the system allows and returns it.
pub fn raise_open_file_limit() -> u64 {
    // SAFETY: `limit` is plain data that outlives both calls.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 {
            return 256;
        }
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur
    }
}

/// Keeps the allocator from holding one arena per thread and large freed blocks.
pub fn keep_allocator_small() {
    // SAFETY: tunables only.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 * 1024);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1024 * 1024);
    }
}

/// Returns freed heap pages to the system.
pub fn trim_allocator() {
    // SAFETY: no pointers.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Resolves `path` as if `root` were the root directory: neither symbolic links nor `..` leave it, and no magic link is
/// followed. Returns an O_PATH descriptor, so that nothing is opened before its type is known.
pub fn open_in_root(root: BorrowedFd<'_>, path: &str) -> io::Result<File> {
    let path = CString::new(path).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: open_how is plain data; the kernel reads exactly its size.
    unsafe {
        let mut how: libc::open_how = std::mem::zeroed();
        how.flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
        how.resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
        let size = std::mem::size_of::<libc::open_how>();
        let fd = libc::syscall(libc::SYS_openat2, root.as_raw_fd(), path.as_ptr(), &how as *const libc::open_how, size);
        Ok(File::from(OwnedFd::from_raw_fd(check(fd)? as RawFd)))
    }
}

/// A copy of the vDSO of this process as an unnamed file. Every process of the machine maps the same image.
pub fn vdso_file() -> io::Result<File> {
    /// The vDSO is two to four pages; its section headers end within this many bytes.
    const LIMIT: usize = 64 * 1024;
    // SAFETY: the auxiliary vector names the start of the mapped image, whose length is read from /proc/self/maps.
    unsafe {
        let start = libc::getauxval(libc::AT_SYSINFO_EHDR) as usize;
        let maps = std::fs::read_to_string("/proc/self/maps")?;
        let end = maps.lines().find_map(|line| {
            let (range, _) = line.split_once(' ')?;
            let (from, to) = range.split_once('-')?;
            (usize::from_str_radix(from, 16).ok()? == start).then(|| usize::from_str_radix(to, 16).ok())?
        });
        let end =
            end.filter(|&end| start != 0 && end > start && end - start <= LIMIT).ok_or(io::ErrorKind::NotFound)?;
        let fd = libc::memfd_create(c"vdso".as_ptr(), libc::MFD_CLOEXEC);
        let file = File::from(OwnedFd::from_raw_fd(check(fd as libc::c_long)? as RawFd));
        let image = std::slice::from_raw_parts(start as *const u8, end - start);
        io::Write::write_all(&mut &file, image)?;
        Ok(file)
    }
}
