//! Embeddings by content, so that nothing is embedded twice.
//!
//! The key is a hash of what the encoder reads and of which encoder it is: a paragraph that moved to
//! another file is found again. A vector is kept in the precision of the index ([`pack`]), so that a
//! cached vector gives the same row as a fresh one.

use kenning::Error;
use kenning::index::IndexError;
use kenning::vector::{pack, unpack};

use crate::Result;

/// Hash of an encoder's input.
pub type Key = [u8; 16];

/// The cache.
pub struct Embeddings {
    tree: sled::Tree,
    fingerprint: String,
}

impl Embeddings {
    pub fn new(tree: sled::Tree, fingerprint: &str) -> Self {
        Embeddings {
            tree,
            fingerprint: fingerprint.to_owned(),
        }
    }

    /// The key of the token ids that an encoder reads.
    pub fn key(&self, input: &[u32]) -> Key {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.fingerprint.as_bytes());
        for id in input {
            hasher.update(&id.to_le_bytes());
        }
        let mut key = Key::default();
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        key
    }

    /// A cached vector of `dimension` components; `None` if there is none or it does not fit.
    pub fn get(&self, key: &Key, dimension: usize) -> Result<Option<Vec<f32>>> {
        let bytes = self.tree.get(key).map_err(storage)?;
        Ok(bytes.and_then(|bytes| unpack(&bytes, dimension)))
    }

    /// Keeps a vector.
    pub fn put(&self, key: &Key, vector: &[f32]) -> Result<()> {
        self.tree.insert(key, pack(vector)).map_err(storage)?;
        Ok(())
    }

    /// Forgets every vector for whose key `keep` does not hold, and returns how many.
    pub fn retain(&self, keep: impl Fn(&Key) -> bool) -> Result<u64> {
        let mut dropped = 0;
        for entry in self.tree.iter() {
            let (bytes, _) = entry.map_err(storage)?;
            let known = Key::try_from(bytes.as_ref()).is_ok_and(|key| keep(&key));
            if !known {
                self.tree.remove(bytes).map_err(storage)?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}

/// Keys as hex, one after the other.
pub fn to_hex(keys: &[Key]) -> String {
    let digits = keys.iter().flatten().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// The keys in a text that [`to_hex`] made; what is no key is left out.
pub fn from_hex(text: &str) -> impl Iterator<Item = Key> + '_ {
    text.as_bytes()
        .chunks_exact(2 * size_of::<Key>())
        .filter_map(|digits| {
            let number = u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            Some(number.to_be_bytes())
        })
}

fn storage(error: sled::Error) -> Error {
    IndexError::from(std::io::Error::other(error)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_through_hex_and_back() {
        let keys = [[7u8; 16], [0; 16], *b"0123456789abcdef"];
        assert_eq!(from_hex(&to_hex(&keys)).collect::<Vec<_>>(), keys);
        assert_eq!(from_hex("xy").count(), 0);
    }
}
