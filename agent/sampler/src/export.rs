//! Turns the samples of a window into OTLP messages of bounded size.

use crate::aggregate::{SampleKey, Samples};
use crate::image::Frame;
use crate::kallsyms::KernelText;
use crate::modules::{KERNEL, Module, ModuleId, ModuleKind, TRUNCATED};
use crate::names::Table;
use crate::otlp::{Dictionary, Export, LocationKey, MappingFields, ProfileSamples, ProfileTimes, Value};
use crate::processes::Description;
use crate::symbol::Line;

/// A message is closed when it reaches this size; what one more sample can add stays below the 4 MiB of a frame.
const MESSAGE_BYTES: usize = 2 << 20;

/// One encoded message and the number of samples in it.
pub struct Chunk {
    pub bytes: Vec<u8>,
    pub samples: u64,
}

/// What a window became.
pub struct Exported {
    pub chunks: Vec<Chunk>,
    /// Distinct locations that carry a name.
    pub named_locations: u64,
}

/// Encodes `samples` with the names known to `names`.
pub fn export(samples: &Samples, names: &Table, kernel_build_id: Option<&str>, times: ProfileTimes) -> Exported {
    let mut writer = Writer {
        samples,
        names,
        kernel_build_id,
        times,
        export: Export::new(),
        count: 0,
        done: Exported { chunks: vec![], named_locations: 0 },
    };
    let all = samples.by_process();
    for process in all.chunk_by(|(a, _), (b, _)| a.process == b.process) {
        writer.process(process);
    }
    writer.close();
    writer.done
}

struct Writer<'a> {
    samples: &'a Samples,
    names: &'a Table,
    kernel_build_id: Option<&'a str>,
    times: ProfileTimes,
    export: Export,
    count: u64,
    done: Exported,
}

impl Writer<'_> {
    fn process(&mut self, samples: &[(SampleKey, u64)]) {
        let mut profile = ProfileSamples::default();
        for (key, count) in samples {
            let stack = self.stack(key.stack);
            let thread = self.export.dictionary.attribute("thread.name", self.samples.thread_name(key.thread_name));
            profile.add(stack, thread, *count);
            self.count += count;
            if self.export.bytes() + profile.bytes() >= MESSAGE_BYTES {
                self.end_process(key.process, std::mem::take(&mut profile));
                self.close();
            }
        }
        if let (Some((key, _)), true) = (samples.first(), profile.bytes() > 0) {
            self.end_process(key.process, profile);
        }
    }

    fn end_process(&mut self, serial: u64, profile: ProfileSamples) {
        let attributes = self.samples.description(serial).map_or(vec![], |description| attributes_of(description));
        self.export.add_process(&attributes, &profile, self.times);
    }

    fn close(&mut self) {
        if self.count > 0 {
            let export = std::mem::replace(&mut self.export, Export::new());
            self.done.chunks.push(Chunk { bytes: export.finish(), samples: std::mem::take(&mut self.count) });
        }
    }

    fn stack(&mut self, stack: u32) -> u32 {
        let samples = self.samples;
        let locations: Vec<u32> = samples.frames_of(stack).iter().map(|frame| self.location(frame)).collect();
        self.export.dictionary.stack(&locations)
    }

    fn location(&mut self, frame: &Frame) -> u32 {
        let key = LocationKey { module: frame.module, address: frame.address };
        if let Some(index) = self.export.dictionary.known_location(&key) {
            return index;
        }
        let lines = self.names.get(frame).unwrap_or(&[]);
        self.done.named_locations += u64::from(!lines.is_empty());
        let lines =
            lines.iter().map(|Line { function, file, line }| (&**function, file.as_deref().unwrap_or(""), *line));
        let module = self.samples.module(frame.module);
        let dictionary = &mut self.export.dictionary;
        match frame.module {
            TRUNCATED => dictionary.location(key, 0, 0, [("[truncated]", "", 0)].into_iter(), "native"),
            KERNEL if frame.address == 0 => dictionary.location(key, 0, 0, [("[kernel]", "", 0)].into_iter(), "kernel"),
            KERNEL => {
                let (mapping, address) =
                    kernel_place(dictionary, self.names.kernel_text, self.kernel_build_id, frame.address);
                dictionary.location(key, mapping, address, lines, "kernel")
            }
            id => {
                let mapping = module.map_or(0, |module| mapping_of(dictionary, id, module, frame.address));
                dictionary.location(key, mapping, frame.address, lines, frame_type(module.map(|module| &module.kind)))
            }
        }
    }
}

fn frame_type(kind: Option<&ModuleKind>) -> &'static str {
    if matches!(kind, Some(ModuleKind::Jit { .. })) { "jit" } else { "native" }
}

fn attributes_of(description: &Description) -> Vec<(&'static str, Value<'_>)> {
    let mut attributes = vec![
        ("process.pid", Value::Integer(description.pid.into())),
        ("process.parent_pid", Value::Integer(description.parent_pid.into())),
        ("process.executable.name", Value::Text(&description.name)),
    ];
    let optional = [
        ("process.executable.path", description.executable.as_deref()),
        ("cgroup.path", description.cgroup.as_deref()),
        ("container.id", description.container.as_deref()),
    ];
    attributes.extend(optional.into_iter().filter_map(|(key, value)| Some((key, Value::Text(value?)))));
    attributes
}

/// The mapping of an address: the segment of the file that holds it.
fn mapping_of(dictionary: &mut Dictionary, id: ModuleId, module: &Module, address: u64) -> u32 {
    let build_id = module.build_id.as_ref().map(|id| (id.key, id.value.as_str()));
    let elf = match &module.kind {
        ModuleKind::Elf { elf, .. } => elf,
        ModuleKind::Opaque => {
            let fields = MappingFields { start: 0, limit: 0, file_offset: 0, file_name: &module.path, build_id };
            return dictionary.mapping((id, 0), &fields);
        }
        ModuleKind::Jit { .. } => return 0,
    };
    let holds = |segment: &&crate::elf::Segment| address.wrapping_sub(segment.address) < segment.memory_bytes;
    let Some(segment) = elf.segments.iter().find(holds).or(elf.segments.first()) else { return 0 };
    let fields = MappingFields {
        start: segment.address,
        limit: segment.address.saturating_add(segment.memory_bytes),
        file_offset: segment.file_offset,
        file_name: &module.path,
        build_id,
    };
    dictionary.mapping((id, segment.address), &fields)
}

/// Kernel text moves with every boot, so its addresses are told from its start; those of kernel modules stay as they are.
fn kernel_place(
    dictionary: &mut Dictionary,
    text: Option<KernelText>,
    build_id: Option<&str>,
    address: u64,
) -> (u32, u64) {
    let Some(text) = text.filter(|text| (text.start..text.end).contains(&address)) else { return (0, address) };
    let build_id = build_id.map(|id| ("process.executable.build_id.gnu", id));
    let limit = text.end - text.start;
    let fields = MappingFields { start: 0, limit, file_offset: 0, file_name: "[kernel.kallsyms]", build_id };
    (dictionary.mapping((KERNEL, 0), &fields), address - text.start)
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
