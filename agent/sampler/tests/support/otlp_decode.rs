//! A reader of OTLP profiles v1.10 that is independent of the writer: it knows field numbers, checks every index, and
//! panics on anything that is not there.

use std::collections::HashMap;

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of one message, in order.
struct Fields<'a>(Vec<(u64, Field<'a>)>);

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (head, rest) = bytes.split_at(count);
    *bytes = rest;
    head
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("varint too long");
}

impl<'a> Fields<'a> {
    fn of(mut bytes: &'a [u8]) -> Fields<'a> {
        let mut found = vec![];
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let field = match tag & 7 {
                0 => Field::Number(varint(&mut bytes)),
                1 => Field::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    Field::Bytes(take(&mut bytes, length))
                }
                other => panic!("wire type {other}"),
            };
            found.push((tag >> 3, field));
        }
        Fields(found)
    }

    fn all(&self, number: u64) -> Vec<&'a [u8]> {
        let matching = self.0.iter().filter(|(field, _)| *field == number);
        let bytes = |field: &Field<'a>| if let Field::Bytes(bytes) = *field { bytes } else { panic!("field {number}") };
        matching.map(|(_, field)| bytes(field)).collect()
    }

    fn message(&self, number: u64) -> Fields<'a> {
        self.all(number).first().map_or(Fields(vec![]), |bytes| Fields::of(bytes))
    }

    fn text(&self, number: u64) -> String {
        self.all(number).first().map_or(String::new(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn number(&self, number: u64) -> u64 {
        let found = self.0.iter().find(|(field, _)| *field == number);
        found.map_or(0, |(_, field)| if let Field::Number(value) = field { *value } else { panic!("field {number}") })
    }

    fn packed(&self, number: u64) -> Vec<u64> {
        let mut bytes = self.all(number).concat();
        let mut rest = bytes.as_mut_slice() as &[u8];
        let mut values = vec![];
        while !rest.is_empty() {
            values.push(varint(&mut rest));
        }
        values
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub function: String,
    pub file: String,
    pub line: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Location {
    pub address: u64,
    pub mapping: u64,
    pub mapping_file: String,
    pub mapping_start: u64,
    pub mapping_limit: u64,
    pub mapping_attributes: HashMap<String, String>,
    pub frame_type: String,
    /// Innermost inlined first.
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug)]
pub struct Sample {
    pub thread_name: String,
    /// Leaf first.
    pub stack: Vec<Location>,
    pub value: u64,
}

#[derive(Clone, Debug)]
pub struct Process {
    pub attributes: HashMap<String, String>,
    pub sample_type: (String, String),
    pub period_type: (String, String),
    pub period: u64,
    pub start: u64,
    pub duration: u64,
    pub samples: Vec<Sample>,
}

impl Sample {
    /// Function names of the stack, leaf first, inlined functions included.
    pub fn functions(&self) -> Vec<&str> {
        self.stack.iter().flat_map(|location| location.lines.iter().map(|line| line.function.as_str())).collect()
    }
}

struct Tables<'a> {
    entries: HashMap<u64, Vec<&'a [u8]>>,
}

impl<'a> Tables<'a> {
    fn of(dictionary: &Fields<'a>) -> Tables<'a> {
        let entries: HashMap<_, _> = (1..=7).map(|table| (table, dictionary.all(table))).collect();
        for (table, entries) in &entries {
            assert_eq!(entries[0], b"", "the first entry of table {table} is the zero value");
        }
        Tables { entries }
    }

    fn entry(&self, table: u64, index: u64) -> Fields<'a> {
        Fields::of(self.entries[&table][index as usize])
    }

    fn string(&self, index: u64) -> String {
        String::from_utf8(self.entries[&5][index as usize].to_vec()).unwrap()
    }

    fn attributes(&self, indices: Vec<u64>) -> HashMap<String, String> {
        let attribute = |index| {
            let entry = self.entry(6, index);
            (self.string(entry.number(1)), entry.message(2).text(1))
        };
        indices.into_iter().map(attribute).collect()
    }

    fn value_type(&self, fields: Fields<'_>) -> (String, String) {
        (self.string(fields.number(1)), self.string(fields.number(2)))
    }

    fn location(&self, index: u64) -> Location {
        assert_ne!(index, 0, "a stack refers to the zero location");
        let entry = self.entry(2, index);
        let mapping = self.entry(1, entry.number(1));
        let lines = entry.all(3).into_iter().map(|line| {
            let line = Fields::of(line);
            let function = self.entry(3, line.number(1));
            let (name, file) = (self.string(function.number(1)), self.string(function.number(3)));
            Line { function: name, file, line: line.number(2) }
        });
        Location {
            address: entry.number(2),
            mapping: entry.number(1),
            mapping_file: self.string(mapping.number(4)),
            mapping_start: mapping.number(1),
            mapping_limit: mapping.number(2),
            mapping_attributes: self.attributes(mapping.packed(5)),
            frame_type: self.attributes(entry.packed(4))["profile.frame.type"].clone(),
            lines: lines.collect(),
        }
    }

    fn sample(&self, fields: Fields<'_>) -> Sample {
        let values = fields.packed(4);
        assert_eq!((values.len(), fields.all(5).len()), (1, 0), "one aggregated value and no timestamps");
        let stack = self.entry(7, fields.number(1)).packed(1);
        Sample {
            thread_name: self.attributes(fields.packed(2))["thread.name"].clone(),
            stack: stack.into_iter().map(|index| self.location(index)).collect(),
            value: values[0],
        }
    }
}

/// Decodes an ExportProfilesServiceRequest with one profile per resource.
pub fn decode(bytes: &[u8]) -> Vec<Process> {
    let request = Fields::of(bytes);
    let dictionary = request.message(2);
    let tables = Tables::of(&dictionary);
    let process = |bytes| {
        let resource_profiles = Fields::of(bytes);
        let attributes = resource_profiles.message(1).all(1).into_iter().map(|attribute| {
            let attribute = Fields::of(attribute);
            let value = attribute.message(2);
            let text = if value.0[0].0 == 3 { value.number(3).to_string() } else { value.text(1) };
            (attribute.text(1), text)
        });
        let profile = resource_profiles.message(2).message(2);
        Process {
            attributes: attributes.collect(),
            sample_type: tables.value_type(profile.message(1)),
            period_type: tables.value_type(profile.message(5)),
            period: profile.number(6),
            start: profile.number(3),
            duration: profile.number(4),
            samples: profile.all(2).into_iter().map(|sample| tables.sample(Fields::of(sample))).collect(),
        }
    };
    request.all(1).into_iter().map(process).collect()
}
