//! Reads the ring buffer of one CPU record by record, without copying except where a record wraps around its end.

use crate::ffi::{self, RingMap};
use crate::records::{self, HEADER_BYTES};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// A record in the ring: its type, its flags and everything after its header.
pub struct RawRecord<'a> {
    pub kind: u32,
    pub misc: u16,
    pub body: &'a [u8],
}

pub struct Ring {
    pub cpu: u32,
    event: OwnedFd,
    map: RingMap,
    /// Bytes consumed so far; what the kernel has been told is behind by at most one drain.
    tail: u64,
    /// Bytes written when the current drain began.
    head: u64,
}

impl Ring {
    pub fn new(cpu: u32, event: OwnedFd, map: RingMap) -> Ring {
        Ring { cpu, event, map, tail: 0, head: 0 }
    }

    /// Starts sampling.
    pub fn enable(&self) -> std::io::Result<()> {
        ffi::perf_event_enable(&self.event)
    }

    pub fn fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }

    /// Looks how far the kernel has written. Records past that point belong to the next drain.
    pub fn begin_drain(&mut self) {
        self.head = self.map.head();
        // More than a ring between the two means that the control page is broken: start over at the head.
        if self.head.wrapping_sub(self.tail) > self.map.data_bytes() as u64 {
            self.tail = self.head;
        }
    }

    /// Hands the consumed records back to the kernel.
    pub fn end_drain(&mut self) {
        self.map.set_tail(self.tail);
    }

    /// Time of the next record, or `None` when this drain has read everything.
    pub fn peek_time(&self) -> Option<u64> {
        let (kind, _, size) = self.header()?;
        let Some(offset) = records::time_offset(kind, size) else { return Some(0) };
        let mut bytes = [0; 8];
        self.copy(self.tail + offset as u64, &mut bytes);
        Some(u64::from_ne_bytes(bytes))
    }

    /// The next record. `wrapped` is room for a record that continues at the start of the ring.
    pub fn next_record<'a>(&'a mut self, wrapped: &'a mut Vec<u8>) -> Option<RawRecord<'a>> {
        let (kind, misc, size) = self.header()?;
        let start = self.index(self.tail);
        let body_start = start + HEADER_BYTES;
        self.tail += size as u64;
        if start + size <= self.map.data_bytes() {
            return Some(RawRecord { kind, misc, body: &self.map.data()[body_start..start + size] });
        }
        wrapped.resize(size - HEADER_BYTES, 0);
        self.copy(self.tail - size as u64 + HEADER_BYTES as u64, wrapped);
        Some(RawRecord { kind, misc, body: wrapped })
    }

    fn header(&self) -> Option<(u32, u16, usize)> {
        let available = self.head - self.tail;
        if available < HEADER_BYTES as u64 {
            return None;
        }
        let mut bytes = [0; HEADER_BYTES];
        self.copy(self.tail, &mut bytes);
        let (kind, misc, size) = records::parse_header(&bytes);
        let size = usize::from(size);
        (size >= HEADER_BYTES && size as u64 <= available).then_some((kind, misc, size))
    }

    fn index(&self, position: u64) -> usize {
        (position & (self.map.data_bytes() as u64 - 1)) as usize
    }

    fn copy(&self, position: u64, into: &mut [u8]) {
        let data = self.map.data();
        let start = self.index(position);
        let first = into.len().min(data.len() - start);
        into[..first].copy_from_slice(&data[start..start + first]);
        let rest = into.len() - first;
        into[first..].copy_from_slice(&data[..rest]);
    }
}
