//! What a code address is called.

use std::sync::Arc;

/// One function at an address: the function that holds it, or one that was inlined there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub function: Arc<str>,
    pub file: Option<Arc<str>>,
    /// Source line, 0 when unknown.
    pub line: u32,
}

/// The functions at one address, innermost inlined first.
pub type Symbol = Arc<[Line]>;
