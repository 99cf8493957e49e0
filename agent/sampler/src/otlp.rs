//! Writes OTLP profiles, v1.10 of opentelemetry-proto (opentelemetry/proto/profiles/v1development/profiles.proto). Numbers
//! in comments are protobuf field numbers. Index 0 of every table is the zero value and means "not set".

use std::collections::HashMap;
use std::hash::Hash;

/// A protobuf message under construction. Fields with the default value are left out, as proto3 does.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub bytes: Vec<u8>,
}

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    fn uint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.tag(field, 0);
            self.varint(value);
        }
    }

    fn fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.tag(field, 1);
            self.bytes.extend(value.to_le_bytes());
        }
    }

    fn data(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u32, message: &Message) {
        self.data(field, &message.bytes);
    }

    fn packed(&mut self, field: u32, values: &[u32]) {
        if !values.is_empty() {
            let mut packed = Message::default();
            values.iter().for_each(|&value| packed.varint(value.into()));
            self.message(field, &packed);
        }
    }
}

/// Value of a resource attribute.
pub enum Value<'a> {
    Text(&'a str),
    Integer(u64),
}

/// KeyValue {1 key, 2 value {1 string | 3 int64}}.
fn key_value(key: &str, value: &Value<'_>) -> Message {
    let mut any = Message::default();
    match value {
        Value::Text(text) => any.data(1, text.as_bytes()),
        Value::Integer(number) => {
            any.tag(3, 0);
            any.varint(*number);
        }
    }
    let mut attribute = Message::default();
    attribute.data(1, key.as_bytes());
    attribute.message(2, &any);
    attribute
}

/// One table of the dictionary: entries already in their final form, found again by key.
struct Table<K> {
    field: u32,
    encoded: Message,
    indices: HashMap<K, u32>,
    count: u32,
}

impl<K: Eq + Hash> Table<K> {
    fn new(field: u32) -> Table<K> {
        let mut encoded = Message::default();
        encoded.data(field, &[]);
        Table { field, encoded, indices: HashMap::new(), count: 1 }
    }

    fn push(&mut self, key: K, entry: &[u8]) -> u32 {
        let index = self.count;
        self.encoded.data(self.field, entry);
        self.indices.insert(key, index);
        self.count += 1;
        index
    }
}

/// Where a function is defined.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Function {
    name: u32,
    file: u32,
}

/// Key of a location: what the caller says is the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocationKey {
    pub module: u32,
    pub address: u64,
}

/// A mapping as written: addresses are those of the file.
pub struct MappingFields<'a> {
    pub start: u64,
    pub limit: u64,
    pub file_offset: u64,
    pub file_name: &'a str,
    pub build_id: Option<(&'a str, &'a str)>,
}

/// The tables that all profiles of one message share.
pub struct Dictionary {
    mappings: Table<(u32, u64)>,
    locations: Table<LocationKey>,
    functions: Table<Function>,
    strings: Table<Box<str>>,
    attributes: Table<(u32, u32)>,
    stacks: Table<Box<[u32]>>,
}

impl Dictionary {
    pub fn new() -> Dictionary {
        Dictionary {
            mappings: Table::new(1),
            locations: Table::new(2),
            functions: Table::new(3),
            strings: Table::new(5),
            attributes: Table::new(6),
            stacks: Table::new(7),
        }
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> usize {
        let tables = [&self.mappings.encoded, &self.locations.encoded, &self.functions.encoded, &self.strings.encoded];
        let more = [&self.attributes.encoded, &self.stacks.encoded];
        tables.iter().chain(&more).map(|table| table.bytes.len()).sum()
    }

    pub fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        match self.strings.indices.get(text) {
            Some(&index) => index,
            None => self.strings.push(text.into(), text.as_bytes()),
        }
    }

    /// KeyValueAndUnit {1 key_strindex, 2 value {1 string}}.
    pub fn attribute(&mut self, key: &str, value: &str) -> u32 {
        let (key, value_index) = (self.string(key), self.string(value));
        if let Some(&index) = self.attributes.indices.get(&(key, value_index)) {
            return index;
        }
        let mut any = Message::default();
        any.data(1, value.as_bytes());
        let mut attribute = Message::default();
        attribute.uint(1, key.into());
        attribute.message(2, &any);
        self.attributes.push((key, value_index), &attribute.bytes)
    }

    /// Mapping {1 memory_start, 2 memory_limit, 3 file_offset, 4 filename_strindex, 5 attribute_indices}. `key` names it.
    pub fn mapping(&mut self, key: (u32, u64), fields: &MappingFields<'_>) -> u32 {
        if let Some(&index) = self.mappings.indices.get(&key) {
            return index;
        }
        let file_name = self.string(fields.file_name);
        let build_id = fields.build_id.map(|(key, value)| self.attribute(key, value));
        let mut mapping = Message::default();
        mapping.uint(1, fields.start);
        mapping.uint(2, fields.limit);
        mapping.uint(3, fields.file_offset);
        mapping.uint(4, file_name.into());
        mapping.packed(5, build_id.as_slice());
        self.mappings.push(key, &mapping.bytes)
    }

    /// Index of a location that was written before.
    pub fn known_location(&self, key: &LocationKey) -> Option<u32> {
        self.locations.indices.get(key).copied()
    }

    /// Location {1 mapping_index, 2 address, 3 lines, 4 attribute_indices} of `frame_type`. `lines` are (function, file,
    /// line), innermost first.
    pub fn location<'a>(
        &mut self,
        key: LocationKey,
        mapping: u32,
        address: u64,
        lines: impl Iterator<Item = (&'a str, &'a str, u32)>,
        frame_type: &str,
    ) -> u32 {
        let mut location = Message::default();
        location.uint(1, mapping.into());
        location.uint(2, address);
        for (name, file, line) in lines {
            let function = self.function(name, file);
            let mut encoded = Message::default();
            encoded.uint(1, function.into());
            encoded.uint(2, line.into());
            location.message(3, &encoded);
        }
        let frame_type = self.attribute("profile.frame.type", frame_type);
        location.packed(4, &[frame_type]);
        self.locations.push(key, &location.bytes)
    }

    /// Function {1 name_strindex, 3 filename_strindex}.
    fn function(&mut self, name: &str, file: &str) -> u32 {
        let key = Function { name: self.string(name), file: self.string(file) };
        if let Some(&index) = self.functions.indices.get(&key) {
            return index;
        }
        let mut function = Message::default();
        function.uint(1, key.name.into());
        function.uint(3, key.file.into());
        self.functions.push(key, &function.bytes)
    }

    /// Stack {1 location_indices}, leaf first.
    pub fn stack(&mut self, locations: &[u32]) -> u32 {
        if let Some(&index) = self.stacks.indices.get(locations) {
            return index;
        }
        let mut stack = Message::default();
        stack.packed(1, locations);
        self.stacks.push(locations.into(), &stack.bytes)
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> Message {
        let (kind, unit) = (self.string(kind), self.string(unit));
        let mut message = Message::default();
        message.uint(1, kind.into());
        message.uint(2, unit.into());
        message
    }

    /// ProfilesDictionary. The table of links (4) only has its zero entry.
    fn encode(&self) -> Message {
        let mut dictionary = Message::default();
        let links = Table::<()>::new(4);
        let tables = [&self.mappings.encoded, &self.locations.encoded, &self.functions.encoded, &links.encoded];
        let more = [&self.strings.encoded, &self.attributes.encoded, &self.stacks.encoded];
        tables.iter().chain(&more).for_each(|table| dictionary.bytes.extend_from_slice(&table.bytes));
        dictionary
    }
}

/// When a profile was taken, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct ProfileTimes {
    pub start: u64,
    pub duration: u64,
    pub period: u64,
}

/// Samples of one process under construction.
#[derive(Default)]
pub struct ProfileSamples {
    encoded: Message,
}

impl ProfileSamples {
    /// Sample {1 stack_index, 2 attribute_indices, 4 values}.
    pub fn add(&mut self, stack: u32, attribute: u32, value: u64) {
        let mut values = Message::default();
        values.varint(value);
        let mut sample = Message::default();
        sample.uint(1, stack.into());
        sample.packed(2, &[attribute]);
        sample.message(4, &values);
        self.encoded.message(2, &sample);
    }

    pub fn bytes(&self) -> usize {
        self.encoded.bytes.len()
    }
}

/// One ExportProfilesServiceRequest (ProfilesData has the same layout) under construction.
pub struct Export {
    pub dictionary: Dictionary,
    resources: Message,
}

impl Export {
    pub fn new() -> Export {
        Export { dictionary: Dictionary::new(), resources: Message::default() }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.dictionary.bytes() + self.resources.bytes.len()
    }

    /// Adds a ResourceProfiles {1 resource {1 attributes}, 2 scope_profiles {1 scope {1 name, 2 version}, 2 profiles}} with
    /// one Profile {1 sample_type, 2 samples, 3 time, 4 duration, 5 period_type, 6 period}.
    pub fn add_process(&mut self, attributes: &[(&str, Value<'_>)], samples: &ProfileSamples, times: ProfileTimes) {
        let mut resource = Message::default();
        attributes.iter().for_each(|(key, value)| resource.message(1, &key_value(key, value)));
        let mut profile = Message::default();
        profile.message(1, &self.dictionary.value_type("samples", "count"));
        profile.bytes.extend_from_slice(&samples.encoded.bytes);
        profile.fixed64(3, times.start);
        profile.uint(4, times.duration);
        profile.message(5, &self.dictionary.value_type("cpu", "nanoseconds"));
        profile.uint(6, times.period);
        let mut scope = Message::default();
        scope.data(1, b"cinderblock-sampler");
        scope.data(2, env!("CARGO_PKG_VERSION").as_bytes());
        let mut scope_profiles = Message::default();
        scope_profiles.message(1, &scope);
        scope_profiles.message(2, &profile);
        let mut resource_profiles = Message::default();
        resource_profiles.message(1, &resource);
        resource_profiles.message(2, &scope_profiles);
        self.resources.message(1, &resource_profiles);
    }

    /// The finished message: 1 resource_profiles, 2 dictionary.
    pub fn finish(mut self) -> Vec<u8> {
        self.resources.message(2, &self.dictionary.encode());
        self.resources.bytes
    }
}

#[cfg(test)]
#[path = "otlp_tests.rs"]
mod tests;
