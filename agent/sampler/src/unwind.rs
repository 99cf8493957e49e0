//! Walks one copied user stack from its leaf to its root.
//!
//! The stack and the unwind tables belong to the sampled process, so they may say anything: every read is checked, the
//! number of frames is bounded, and a panic in a parser costs one sample.

use crate::image::{Frame, Image};
use crate::modules::{TRUNCATED, UNKNOWN};
use crate::records::UserRegisters;
use framehop::{CacheNative, FrameAddress, MayAllocateDuringUnwind, Unwinder};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Frames of one stack; deeper ones are marked as truncated.
pub const MAX_FRAMES: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The outermost function was reached.
    Rooted,
    /// Unwinding stopped earlier; the stack ends in a truncation mark.
    Truncated,
    /// A parser panicked; the stack ends in a truncation mark.
    Panicked,
}

type Cache = CacheNative<MayAllocateDuringUnwind>;

/// The unwind rules of recently seen addresses, shared by all processes.
pub struct StackWalker {
    cache: Cache,
}

impl StackWalker {
    pub fn new() -> StackWalker {
        StackWalker { cache: Cache::new() }
    }

    /// Appends the frames of one stack to `frames`, leaf first. `stack` holds the memory from `registers.sp` upwards.
    pub fn walk(&mut self, image: &Image, registers: UserRegisters, stack: &[u8], frames: &mut Vec<Frame>) -> Outcome {
        let start = frames.len();
        let cache = &mut self.cache;
        let walked = catch_unwind(AssertUnwindSafe(|| walk_frames(cache, image, registers, stack, frames)));
        let outcome = walked.unwrap_or_else(|_| {
            self.cache = Cache::new();
            Outcome::Panicked
        });
        if frames.len() == start {
            frames.push(image.frame(registers.ip));
        }
        if outcome != Outcome::Rooted {
            frames.push(Frame { module: TRUNCATED, address: 0 });
        }
        outcome
    }
}

fn walk_frames(
    cache: &mut Cache,
    image: &Image,
    registers: UserRegisters,
    stack: &[u8],
    frames: &mut Vec<Frame>,
) -> Outcome {
    let mut read_stack = |address: u64| read_word(stack, registers.sp, address).ok_or(());
    let mut native = native_registers(registers);
    let mut position = FrameAddress::from_instruction_pointer(registers.ip);
    frames.push(image.frame(registers.ip));
    for depth in 0..MAX_FRAMES {
        let caller = match image.unwinder().unwind_frame(position, &mut native, cache, &mut read_stack) {
            Ok(Some(caller)) => caller,
            Ok(None) => return Outcome::Rooted,
            // The first instructions of a process (the dynamic loader's entry) have no unwind data, and start with a
            // frame pointer of zero.
            Err(framehop::Error::FramepointerUnwindingMovedBackwards) if frame_pointer(&native) == 0 => {
                return Outcome::Rooted;
            }
            Err(_) => return Outcome::Truncated,
        };
        let Some(mut next) = FrameAddress::from_return_address(caller) else { return Outcome::Rooted };
        let mut frame = image.frame(next.address_for_lookup());
        if frame.module == UNKNOWN && depth == 0 {
            // A leaf without unwind data was taken for a function without a frame, as the small stubs of a linker are.
            // What lies on top of the stack is no code, so it is a function with a frame, like the built-ins of V8.
            let Some((caller, resumed)) = step_by_frame_pointer(registers, &mut read_stack) else {
                return Outcome::Truncated;
            };
            let Some(address) = FrameAddress::from_return_address(caller) else { return Outcome::Rooted };
            (next, native, frame) = (address, resumed, image.frame(address.address_for_lookup()));
        }
        // A caller outside all code means that a step went astray: keep what is sure.
        if frame.module == UNKNOWN {
            return Outcome::Truncated;
        }
        frames.push(frame);
        position = next;
    }
    Outcome::Truncated
}

/// Leaves the function at `registers` by its frame: saved frame pointer, then return address. Returns the latter.
fn step_by_frame_pointer(
    registers: UserRegisters,
    read_stack: &mut impl FnMut(u64) -> Result<u64, ()>,
) -> Option<(u64, framehop::UnwindRegsNative)> {
    let fp = read_stack(registers.fp).ok()?;
    let caller = read_stack(registers.fp.checked_add(8)?).ok()?;
    let sp = registers.fp.checked_add(16)?;
    Some((caller, native_registers(UserRegisters { ip: caller, sp, fp, link: caller })))
}

/// The eight bytes at `address` of a stack whose copy starts at `stack_pointer`.
fn read_word(stack: &[u8], stack_pointer: u64, address: u64) -> Option<u64> {
    let offset = usize::try_from(address.checked_sub(stack_pointer)?).ok()?;
    let word = stack.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_ne_bytes(word.try_into().unwrap()))
}

#[cfg(target_arch = "x86_64")]
fn native_registers(registers: UserRegisters) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(registers.ip, registers.sp, registers.fp)
}

#[cfg(target_arch = "x86_64")]
fn frame_pointer(registers: &framehop::UnwindRegsNative) -> u64 {
    registers.bp()
}

#[cfg(target_arch = "aarch64")]
fn frame_pointer(registers: &framehop::UnwindRegsNative) -> u64 {
    registers.fp()
}

#[cfg(target_arch = "aarch64")]
fn native_registers(registers: UserRegisters) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(registers.link, registers.sp, registers.fp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_space::AddressSpace;
    use crate::modules::Modules;
    use crate::test_random::Random;

    #[test]
    fn reads_only_the_copied_bytes() {
        let stack: Vec<u8> = (0..16).collect();
        assert_eq!(read_word(&stack, 100, 108), Some(0x0f0e_0d0c_0b0a_0908));
        for address in [0, 99, 109, 116, u64::MAX, u64::MAX - 7] {
            assert_eq!(read_word(&stack, 100, address), None, "{address}");
        }
        assert_eq!(read_word(&stack, u64::MAX, 3), None);
    }

    #[test]
    fn arbitrary_stacks_and_registers_never_escape() {
        let mut random = Random::from_environment();
        let pid = std::process::id();
        let space = AddressSpace::new(crate::proc_files::executable_mappings(pid).unwrap());
        let image = Image::build(&space, &[pid], &mut Modules::new(64), &mut None, None);
        let code: Vec<_> = space.mappings().iter().map(|m| (m.start, m.end - m.start)).collect();
        let mut walker = StackWalker::new();
        let mut frames = vec![];
        for _ in 0..20_000 {
            let mut any_code = || {
                let (start, bytes) = code[random.below(code.len() as u64) as usize];
                start + random.below(bytes)
            };
            let ip = any_code();
            let mut stack = vec![];
            (0..64).for_each(|_| stack.extend(any_code().to_ne_bytes()));
            let sp = if random.below(8) == 0 { random.next() } else { 0x7000_0000_0000 };
            (0..20).for_each(|_| {
                let at = random.below(64) as usize * 8;
                stack[at..at + 8].copy_from_slice(&sp.wrapping_add(random.below(600)).to_ne_bytes());
            });
            stack.truncate(random.below(513) as usize);
            frames.clear();
            let registers = UserRegisters { ip, sp, fp: sp.wrapping_add(random.below(512)), link: 0 };
            assert_ne!(walker.walk(&image, registers, &stack, &mut frames), Outcome::Panicked);
            assert!(!frames.is_empty() && frames.len() <= MAX_FRAMES + 1);
        }
    }

    /// A copy of this executable whose unwind data is broken in a few places, mapped where the original is.
    fn image_of_broken_copy(random: &mut Random, original: &[u8], path: &std::path::Path) -> (Image, u64) {
        let elf = crate::elf::parse(&std::fs::File::open("/proc/self/exe").unwrap()).unwrap();
        let mut bytes = original.to_vec();
        for section in [elf.eh_frame.unwrap(), elf.eh_frame_hdr.unwrap()] {
            for _ in 0..2000 {
                let at = (section.file_offset + random.below(section.bytes)) as usize;
                bytes[at] = random.next() as u8;
            }
        }
        std::fs::write(path, bytes).unwrap();
        let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
        let backing = crate::address_space::Backing::of(path.to_str().unwrap(), (0, 0), inode);
        let segment = elf.segments[0];
        let (start, file_offset) = (0x5000_0000_0000 + segment.file_offset, segment.file_offset);
        let mapping = crate::address_space::Mapping { start, end: start + segment.file_bytes, file_offset, backing };
        let space = AddressSpace::new(vec![mapping]);
        (Image::build(&space, &[std::process::id()], &mut Modules::new(4), &mut None, None), start)
    }

    #[test]
    fn broken_unwind_data_never_escapes() {
        let mut random = Random::from_environment();
        let original = std::fs::read("/proc/self/exe").unwrap();
        let path = std::env::temp_dir().join(format!("cinderblock-broken-{}", std::process::id()));
        for _ in 0..6 {
            let (image, start) = image_of_broken_copy(&mut random, &original, &path);
            let mut walker = StackWalker::new();
            let mut frames = vec![];
            for _ in 0..20_000 {
                let mut code = || start + random.below(original.len() as u64 / 2);
                let ip = code();
                let stack: Vec<u8> = (0..32).flat_map(|_| code().to_ne_bytes()).collect();
                let sp = 0x7000_0000_0000;
                frames.clear();
                let registers = UserRegisters { ip, sp, fp: sp + random.below(256), link: 0 };
                walker.walk(&image, registers, &stack, &mut frames);
                assert!(!frames.is_empty() && frames.len() <= MAX_FRAMES + 2);
            }
        }
        std::fs::remove_file(&path).unwrap();
    }
}
