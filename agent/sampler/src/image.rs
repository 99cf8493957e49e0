//! A process as the unwinder sees it: its executable ranges tied to modules, with the distance between file and memory.

use crate::address_space::{AddressSpace, Backing, Mapping};
use crate::elf::Section;
use crate::modules::{Module, ModuleId, ModuleKind, Modules, SectionBytes, UNKNOWN};
use framehop::{ExplicitModuleSectionInfo, Unwinder, UnwinderNative};
use std::ops::Range;
use std::sync::Arc;

pub type Unwinding = UnwinderNative<SectionBytes, framehop::MayAllocateDuringUnwind>;

/// One position in a program: a module and an address in the terms of its file, so that equal code in two processes is
/// equal here. Addresses without a module are as the process saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    pub module: ModuleId,
    pub address: u64,
}

struct ExecutableRange {
    start: u64,
    end: u64,
    module: Arc<Module>,
    /// Subtracted from an address in memory to give an address in the file.
    bias: u64,
}

/// Built on the first sample after the address space changed.
pub struct Image {
    ranges: Vec<ExecutableRange>,
    unwinder: Unwinding,
}

impl Image {
    /// Resolves `space`. `pids` are processes through which its files may be opened; `jit` keeps its run-time code module
    /// between images; `previous` lends its unwinder when only run-time code has changed.
    pub fn build(
        space: &AddressSpace,
        pids: &[u32],
        modules: &mut Modules,
        jit: &mut Option<Arc<Module>>,
        previous: Option<Image>,
    ) -> Image {
        let ranges: Vec<_> =
            space.mappings().iter().filter_map(|mapping| resolve(mapping, pids, modules, jit)).collect();
        let unwinder = match previous {
            Some(previous) if same_files(&previous.ranges, &ranges) => previous.unwinder,
            _ => unwinder_of(&ranges),
        };
        Image { ranges, unwinder }
    }

    pub fn unwinder(&self) -> &Unwinding {
        &self.unwinder
    }

    /// The frame at an address in memory.
    pub fn frame(&self, address: u64) -> Frame {
        let at = self.ranges.partition_point(|range| range.end <= address);
        match self.ranges.get(at).filter(|range| range.start <= address) {
            Some(range) => Frame { module: range.module.id, address: address.wrapping_sub(range.bias) },
            None => Frame { module: UNKNOWN, address },
        }
    }
}

fn resolve(
    mapping: &Mapping,
    pids: &[u32],
    modules: &mut Modules,
    jit: &mut Option<Arc<Module>>,
) -> Option<ExecutableRange> {
    let module = match &mapping.backing {
        Backing::File { device, inode, path } => modules.of_file(pids, mapping, *device, *inode, path)?,
        Backing::Vdso => modules.vdso()?,
        Backing::Anonymous => jit.get_or_insert_with(|| modules.jit(pids[0])).clone(),
    };
    let bias = match &module.kind {
        ModuleKind::Elf { elf, .. } => elf.bias(mapping.start, mapping.file_offset)?,
        ModuleKind::Opaque => mapping.start.wrapping_sub(mapping.file_offset),
        ModuleKind::Jit { .. } => 0,
    };
    Some(ExecutableRange { start: mapping.start, end: mapping.end, module, bias })
}

fn with_unwind_data(ranges: &[ExecutableRange]) -> impl Iterator<Item = &ExecutableRange> {
    ranges.iter().filter(|range| matches!(range.module.kind, ModuleKind::Elf { .. }))
}

fn same_files(before: &[ExecutableRange], after: &[ExecutableRange]) -> bool {
    let key = |range: &ExecutableRange| (range.start, range.end, range.module.id, range.bias);
    with_unwind_data(before).map(key).eq(with_unwind_data(after).map(key))
}

fn unwinder_of(ranges: &[ExecutableRange]) -> Unwinding {
    let mut unwinder = Unwinding::new();
    for range in with_unwind_data(ranges) {
        if let ModuleKind::Elf { elf, eh_frame, eh_frame_hdr, debug_frame, .. } = &range.module.kind {
            let addresses = |section: Option<Section>| -> Option<Range<u64>> {
                section.and_then(|section| Some(section.address..section.address.checked_add(section.bytes)?))
            };
            let sections = ExplicitModuleSectionInfo {
                base_svma: 0,
                text_svma: addresses(elf.text),
                got_svma: addresses(elf.got),
                eh_frame_svma: addresses(elf.eh_frame),
                eh_frame: eh_frame.clone(),
                eh_frame_hdr_svma: addresses(elf.eh_frame_hdr),
                eh_frame_hdr: eh_frame_hdr.clone(),
                debug_frame: debug_frame.clone(),
                text: None,
                stubs_svma: None,
                stub_helper_svma: None,
                unwind_info: None,
                text_segment_svma: None,
                text_segment: None,
            };
            unwinder.add_module(framehop::Module::new(String::new(), range.start..range.end, range.bias, sections));
        }
    }
    unwinder
}
