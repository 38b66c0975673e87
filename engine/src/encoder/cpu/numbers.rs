//! Numbers in memory, or in a file that is mapped into it.

use std::ops::{Deref, Range};
use std::sync::Arc;

use bytemuck::Pod;
use memmap2::Mmap;

/// Some bytes of a mapped file.
#[derive(Clone)]
pub struct Mapped {
    map: Arc<Mmap>,
    range: Range<usize>,
}

impl Mapped {
    /// `None` where the file does not have them.
    pub fn new(map: &Arc<Mmap>, range: Range<usize>) -> Option<Mapped> {
        map.get(range.clone())?;
        let map = Arc::clone(map);
        Some(Mapped { map, range })
    }

    fn bytes(&self) -> &[u8] {
        &self.map[self.range.clone()]
    }
}

/// Numbers that do not change.
pub struct Numbers<T>(Place<T>);

enum Place<T> {
    Own(Vec<T>),
    Mapped(Mapped),
}

impl<T: Pod> Numbers<T> {
    /// Those in a file; `None` unless they are `count`, at a place that they may have.
    pub fn mapped(bytes: &Mapped, count: usize) -> Option<Numbers<T>> {
        let numbers = bytemuck::try_cast_slice::<u8, T>(bytes.bytes()).ok()?;
        (numbers.len() == count).then(|| Numbers(Place::Mapped(bytes.clone())))
    }
}

impl<T> From<Vec<T>> for Numbers<T> {
    fn from(numbers: Vec<T>) -> Numbers<T> {
        Numbers(Place::Own(numbers))
    }
}

impl<T: Pod> Deref for Numbers<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Place::Own(numbers) => numbers,
            // It was cast before.
            Place::Mapped(mapped) => bytemuck::cast_slice(mapped.bytes()),
        }
    }
}
