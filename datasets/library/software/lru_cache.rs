//! A cache that forgets what has not been asked for in the longest time.
//!
//! Memory is finite, so a cache needs a rule for what to throw out when it is
//! full. "Least recently used" is the usual one: whatever nobody has touched for
//! the longest time is the first to go. Both reading and writing an entry count as
//! a touch.
//!
//! The entries live in a vector and are linked to a chain by their positions, with
//! the freshest at the head and the stalest at the tail. A hash map finds the
//! position for a key. All operations take constant time, and there is no unsafe
//! code and no reference counting.

use std::collections::HashMap;
use std::hash::Hash;

/// Marks the end of the chain.
const NIL: usize = usize::MAX;

struct Entry<K, V> {
    key: K,
    value: V,
    newer: usize,
    older: usize,
}

/// A map of bounded size with eviction of the stalest entry.
pub struct LruCache<K, V> {
    map: HashMap<K, usize>,
    entries: Vec<Entry<K, V>>,
    head: usize,
    tail: usize,
    capacity: usize,
}

impl<K: Hash + Eq + Clone, V> LruCache<K, V> {
    /// Creates an empty cache for at most `capacity` entries.
    ///
    /// # Panics
    /// Panics if `capacity` is zero.
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a cache needs room for at least one entry");
        Self { map: HashMap::new(), entries: Vec::new(), head: NIL, tail: NIL, capacity }
    }

    /// Number of entries at present.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// True if nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Looks up `key` and makes it the most recently used entry.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        let at = *self.map.get(key)?;
        self.unlink(at);
        self.push_front(at);
        Some(&self.entries[at].value)
    }

    /// Looks up `key` without changing the order, for instance for statistics.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.map.get(key).map(|&at| &self.entries[at].value)
    }

    /// Stores a value. Returns the entry that had to make way, if any.
    pub fn put(&mut self, key: K, value: V) -> Option<(K, V)> {
        if let Some(&at) = self.map.get(&key) {
            self.entries[at].value = value;
            self.unlink(at);
            self.push_front(at);
            return None;
        }
        let entry = Entry { key: key.clone(), value, newer: NIL, older: NIL };
        if self.entries.len() < self.capacity {
            let at = self.entries.len();
            self.entries.push(entry);
            self.map.insert(key, at);
            self.push_front(at);
            return None;
        }
        // Full: the slot of the stalest entry is used again for the new one.
        let at = self.tail;
        self.unlink(at);
        let old = std::mem::replace(&mut self.entries[at], entry);
        self.map.remove(&old.key);
        self.map.insert(key, at);
        self.push_front(at);
        Some((old.key, old.value))
    }

    /// Takes an entry out of the chain without freeing its slot.
    fn unlink(&mut self, at: usize) {
        let (newer, older) = (self.entries[at].newer, self.entries[at].older);
        if newer == NIL { self.head = older } else { self.entries[newer].older = older }
        if older == NIL { self.tail = newer } else { self.entries[older].newer = newer }
    }

    /// Puts an unlinked entry at the head of the chain.
    fn push_front(&mut self, at: usize) {
        self.entries[at].newer = NIL;
        self.entries[at].older = self.head;
        if self.head == NIL { self.tail = at } else { self.entries[self.head].newer = at }
        self.head = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stalest_entry_goes_first() {
        let mut cache = LruCache::new(2);
        cache.put("a", 1);
        cache.put("b", 2);
        assert_eq!(cache.get(&"a"), Some(&1));
        assert_eq!(cache.put("c", 3), Some(("b", 2)));
        assert_eq!(cache.peek(&"b"), None);
    }
}
