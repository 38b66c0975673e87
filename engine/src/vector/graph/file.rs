//! The graph of a segment as a flat file, read in place.
//!
//! ```text
//! <segment>.hnsw   u32 words, little-endian
//!
//! header    magic "KENNGRF1" (2 words) | version | rows | entry | levels | crc32 of the body
//!           | keys and members of each section (2 words each) | crc32 of the header so far
//! body      the sections: level 0, level 1, …, twins
//! section   keys, ascending (not in level 0, whose keys are all rows)
//!           | where the list of each key begins, and the end of the last (keys + 1 words)
//!           | members of the lists
//! ```
//!
//! A level maps a row to its neighbours, "twins" maps a member of the graph to the rows equal to it.
//!
//! Opening checks header and length; reading the whole body would cost more than the search that it
//! was opened for, so its checksum is left to [`Graph::verify`]. A damaged body can hide rows, and does
//! nothing worse: what is read from it is checked before it is used.

use tantivy::directory::OwnedBytes;

use super::{Adjacency, MOST_ROWS};
use crate::vector::column::ColumnError;
use crate::vector::plugin::GRAPH;

const MAGIC: &[u8; 8] = b"KENNGRF1";
const VERSION: u32 = 1;
/// Words of the header before the table of sections.
const FIXED: usize = 7;
/// More levels than any graph has: a bound for what is believed.
const MOST_LEVELS: u32 = 64;

/// The file of a graph.
pub fn bytes(adjacency: &Adjacency) -> Vec<u8> {
    let mut body: Vec<u32> = Vec::new();
    let mut table: Vec<u32> = Vec::new();
    push_section(
        adjacency.base.iter().map(Vec::as_slice),
        &mut table,
        &mut body,
    );
    for lists in adjacency.upper.iter().chain([&adjacency.twins]) {
        body.extend(lists.keys());
        push_section(lists.values().map(Vec::as_slice), &mut table, &mut body);
    }
    let body = to_bytes(&body);
    let mut header = MAGIC.to_vec();
    header.extend(to_bytes(&[
        VERSION,
        adjacency.base.len() as u32,
        adjacency.entry,
        adjacency.upper.len() as u32 + 1,
        crc32fast::hash(&body),
    ]));
    header.extend(to_bytes(&table));
    header.extend(crc32fast::hash(&header).to_le_bytes());
    header.extend(body);
    header
}

/// Appends offsets and members of `lists` to the body, and their numbers to the table.
fn push_section<'a>(
    lists: impl Iterator<Item = &'a [u32]> + Clone,
    table: &mut Vec<u32>,
    body: &mut Vec<u32>,
) {
    let (mut keys, mut end) = (0, 0);
    body.push(end);
    for list in lists.clone() {
        keys += 1;
        end += list.len() as u32;
        body.push(end);
    }
    body.extend(lists.flatten());
    table.extend([keys, end]);
}

fn to_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// An open graph. Cloning shares the mapped file.
#[derive(Clone)]
pub struct Graph {
    rows: u32,
    entry: u32,
    checksum: u32,
    file: OwnedBytes,
    body: OwnedBytes,
    /// From level 0 up.
    levels: Vec<Section>,
    twins: Section,
}

/// Lists by key.
#[derive(Clone)]
struct Section {
    /// `None`: the keys are the numbers from 0.
    keys: Option<OwnedBytes>,
    offsets: OwnedBytes,
    members: OwnedBytes,
}

impl Graph {
    /// Opens the graph of a segment of `rows` rows.
    ///
    /// # Errors
    /// [`ColumnError`] for a file that is not a graph, is cut short or too long, has a damaged header,
    /// or belongs to a segment of another size.
    pub fn open(file: OwnedBytes, rows: u32) -> Result<Self, ColumnError> {
        if file.len() < 4 * FIXED {
            return Err(damaged(format!("{} bytes are too few", file.len())));
        }
        if &file[..8] != MAGIC {
            return Err(damaged("it has no magic number".into()));
        }
        let field = |at: usize| word(&file, at).unwrap_or_default();
        let (version, levels) = (field(2), field(5));
        if version != VERSION {
            return Err(damaged(format!(
                "it has version {version}, expected {VERSION}"
            )));
        }
        if levels == 0 || levels > MOST_LEVELS {
            return Err(damaged(format!("it has {levels} levels")));
        }
        let sections = levels as usize + 1;
        let end = FIXED + 2 * sections;
        let Some(expected) = word(&file, end) else {
            return Err(damaged("its header is cut short".into()));
        };
        if crc32fast::hash(&file[..4 * end]) != expected {
            return Err(damaged("its header does not match its checksum".into()));
        }
        if field(3) != rows || field(FIXED) != rows {
            return Err(ColumnError::Mismatch {
                file: GRAPH,
                found: format!("{} rows", field(3)),
                expected: format!("{rows} rows"),
            });
        }
        if rows > MOST_ROWS {
            return Err(damaged(format!("{rows} rows are too many to be walked")));
        }
        if field(4) >= rows {
            return Err(damaged(format!("it begins at row {}", field(4))));
        }
        let table: Vec<[u32; 2]> = (0..sections)
            .map(|section| [field(FIXED + 2 * section), field(FIXED + 2 * section + 1)])
            .collect();
        let body = file.slice(4 * (end + 1)..file.len());
        let mut levels = cut(&body, &table)?;
        let Some(twins) = levels.pop() else {
            return Err(damaged("it has no sections".into()));
        };
        Ok(Graph {
            rows,
            entry: field(4),
            checksum: field(6),
            file: file.clone(),
            body,
            levels,
            twins,
        })
    }

    /// Reads the whole graph and compares it with its checksum.
    ///
    /// # Errors
    /// [`ColumnError::Damaged`] if they differ.
    pub fn verify(&self) -> Result<(), ColumnError> {
        if crc32fast::hash(&self.body) == self.checksum {
            return Ok(());
        }
        Err(damaged("its body does not match its checksum".into()))
    }

    /// The whole file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.file
    }

    /// Number of rows of the segment.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The row where every search begins.
    pub fn entry(&self) -> u32 {
        self.entry
    }

    /// Number of levels, level 0 included.
    pub fn levels(&self) -> usize {
        self.levels.len()
    }

    /// The neighbours of a row on a level as they are stored, to be read by [`Self::sound`].
    #[inline(always)]
    pub fn list(&self, level: usize, row: u32) -> &[[u8; 4]] {
        self.levels[level].list(row)
    }

    /// The rows that are equal to a member.
    #[inline(always)]
    pub fn twins(&self, row: u32) -> impl Iterator<Item = u32> {
        self.sound(self.twins.list(row))
    }

    /// The words of a list that are rows: all of them, unless the file is damaged.
    #[inline(always)]
    pub fn sound<'a>(&self, list: &'a [[u8; 4]]) -> impl Iterator<Item = u32> + use<'a> {
        let rows = self.rows;
        let words = list.iter().map(|word| u32::from_le_bytes(*word));
        words.filter(move |&row| row < rows)
    }
}

impl Section {
    /// The words of a key's list; none where the key is not known.
    #[inline(always)]
    fn list(&self, key: u32) -> &[[u8; 4]] {
        let Some(place) = self.place(key) else {
            return &[];
        };
        let (Some(begin), Some(end)) = (word(&self.offsets, place), word(&self.offsets, place + 1))
        else {
            return &[];
        };
        let members = self.members.as_chunks().0;
        members
            .get(begin as usize..end as usize)
            .unwrap_or_default()
    }

    #[inline(always)]
    fn place(&self, key: u32) -> Option<usize> {
        let Some(keys) = &self.keys else {
            return Some(key as usize);
        };
        let keys = keys.as_chunks().0;
        let found = keys.binary_search_by_key(&key, |word| u32::from_le_bytes(*word));
        found.ok()
    }
}

/// Cuts the body into sections of so many keys and members; the first has no keys of its own.
fn cut(body: &OwnedBytes, table: &[[u32; 2]]) -> Result<Vec<Section>, ColumnError> {
    let own = |place: usize, keys: u32| if place == 0 { 0 } else { u64::from(keys) };
    let sizes = table.iter().enumerate();
    let words: u64 = sizes
        .map(|(place, &[keys, members])| {
            own(place, keys) + u64::from(keys) + 1 + u64::from(members)
        })
        .sum();
    if body.len() as u64 != 4 * words {
        let found = body.len();
        return Err(damaged(format!("{found} bytes, expected {}", 4 * words)));
    }
    let mut at = 0;
    let mut take = |words: usize| {
        at += 4 * words;
        body.slice(at - 4 * words..at)
    };
    let sizes = table.iter().enumerate();
    let sections = sizes.map(|(place, &[keys, members])| Section {
        keys: (place > 0).then(|| take(keys as usize)),
        offsets: take(keys as usize + 1),
        members: take(members as usize),
    });
    Ok(sections.collect())
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.as_chunks().0.get(at)?;
    Some(u32::from_le_bytes(*word))
}

fn damaged(reason: String) -> ColumnError {
    ColumnError::Damaged {
        file: GRAPH,
        reason,
    }
}
