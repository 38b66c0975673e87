//! One file to chunks that are ready to be embedded.

use std::time::{SystemTime, UNIX_EPOCH};

use kenning::chunk::Chunk;
use kenning::encoder::Encoder;
use kenning::index::chunk;
use kenning::{Document, Metadata, Value};

use crate::Result;
use crate::budget::Share;
use crate::catalogue::FileState;
use crate::embeddings::Key;
use crate::extract::{ExtractError, Extracted, Extractor, Part, SourceMap, contained, from_unix};
use crate::input::{self, Unread};
use crate::walk::Found;

/// A file, read.
#[derive(Debug)]
pub struct Prepared {
    /// The file's id.
    pub id: String,
    /// The file as it was found.
    pub found: Found,
    /// When it was read, in nanoseconds since 1970.
    pub read: i64,
    /// BLAKE3 of its content, in hex; empty if it could not be read.
    pub hash: String,
    /// What it gave.
    pub content: Content,
    /// Keys of the embeddings of its chunks, once they are known.
    pub keys: Vec<Key>,
    /// What it takes of the memory for files, as long as it is there.
    share: Option<Share>,
}

impl Prepared {
    /// Keeps a share of the memory for files, made as large as its texts.
    pub fn hold(&mut self, mut share: Share) {
        share.grow(self.all_chunks().map(|chunk| chunk.text.len() as u64).sum());
        self.share = Some(share);
    }

    /// The chunks of all documents, in order.
    pub fn all_chunks(&self) -> impl Iterator<Item = &Chunk> {
        let documents = match &self.content {
            Content::Documents { documents, .. } => documents.as_slice(),
            _ => &[],
        };
        documents.iter().flat_map(|document| &document.chunks)
    }

    /// How many these are.
    pub fn chunks(&self) -> u64 {
        self.all_chunks().count() as u64
    }

    /// How many tokens an encoder reads for them.
    pub fn tokens(&self) -> usize {
        self.all_chunks().map(|chunk| chunk.input.len()).sum()
    }
}

/// What a file gave.
#[derive(Debug)]
pub enum Content {
    /// It is what it was: only its times differ.
    Unchanged(FileState),
    /// Documents in chunks.
    Documents {
        /// The documents.
        documents: Vec<Chunked>,
        /// Remarks on what was left out.
        warnings: Vec<String>,
    },
    /// Nothing to search in it.
    Skipped(String),
    /// Its content makes no sense.
    Failed(String),
    /// The operating system does not let it be read. What it holds is not known, and was not before.
    Unreadable(String),
}

/// A document in chunks.
#[derive(Debug)]
pub struct Chunked {
    /// Its id: the file's, with a fragment if the file holds several.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Facts about it.
    pub metadata: Metadata,
    /// Its tokens, as counted before it was cut.
    pub tokens: u64,
    /// Its chunks; spans refer to the file where the text is a copy of it.
    pub chunks: Vec<Chunk>,
}

/// Reads files for one index.
pub struct Reader<'a> {
    /// Takes the text out.
    pub extractor: &'a Extractor,
    /// Whose tokens the chunks are cut by: it is asked for when there is a text to cut.
    pub encoder: &'a dyn Fn() -> Result<&'a Encoder>,
}

impl Reader<'_> {
    /// Reads a file; `known` is what the catalogue knows of it.
    ///
    /// # Errors
    /// There is no encoder. What is wrong with the file is in the result.
    pub fn read(&self, id: String, found: Found, known: Option<FileState>) -> Result<Prepared> {
        let read = now();
        let mut hash = String::new();
        let content = self.content(&id, &found, known, &mut hash)?;
        Ok(Prepared {
            id,
            found,
            read,
            hash,
            content,
            keys: Vec::new(),
            share: None,
        })
    }

    fn content(
        &self,
        id: &str,
        found: &Found,
        known: Option<FileState>,
        hash: &mut String,
    ) -> Result<Content> {
        let limit = self.extractor.limits().file_bytes;
        let too_large = |bytes| {
            let error = ExtractError::TooLarge { bytes, limit };
            Ok(Content::Skipped(error.to_string()))
        };
        if found.size > limit {
            return too_large(found.size);
        }
        let bytes = match input::read(&found.path, limit) {
            Ok(bytes) => bytes,
            Err(Unread::TooLarge { bytes, .. }) => return too_large(bytes),
            Err(error) => return Ok(Content::Unreadable(error.to_string())),
        };
        *hash = blake3::hash(&bytes).to_hex().to_string();
        if let Some(known) = known
            && known.hash == *hash
            && known.is_of_this_reader()
        {
            return Ok(Content::Unchanged(known));
        }
        Ok(match self.extractor.extract(&found.path, &bytes) {
            Ok(extracted) => {
                let encoder = (self.encoder)()?;
                // A text that is cut amiss is one file's trouble.
                let cut = contained(|| documents(id, found, &bytes, extracted, encoder));
                cut.unwrap_or_else(|reason| {
                    Content::Failed(format!("its text cannot be cut: {reason}"))
                })
            }
            Err(error) if is_skip(&error) => Content::Skipped(error.to_string()),
            Err(error) => Content::Failed(error.to_string()),
        })
    }
}

/// The documents in what was taken out of a file.
fn documents(
    id: &str,
    found: &Found,
    bytes: &[u8],
    extracted: Extracted,
    encoder: &Encoder,
) -> Content {
    let format = extracted.format.name();
    let mut documents = Vec::new();
    for part in extracted.parts {
        let (document, source) = document(id, found, format, part);
        match cut(encoder, document, bytes, &source) {
            Ok(document) if document.chunks.is_empty() => {}
            Ok(document) => documents.push(document),
            Err(error) => return Content::Failed(error.to_string()),
        }
    }
    if documents.is_empty() {
        return Content::Skipped(format!("no text in this {format} file"));
    }
    let warnings = extracted.warnings.iter().map(ToString::to_string);
    Content::Documents {
        documents,
        warnings: warnings.collect(),
    }
}

/// Of a longer title the first so many bytes are kept: it is stored with each document and shown with each hit.
const LONGEST_TITLE: usize = 1_000;

/// A part of a file as a document, and where its text is from.
fn document(id: &str, found: &Found, format: &str, part: Part) -> (Document, SourceMap) {
    let id = match &part.fragment {
        Some(fragment) => format!("{id}#{fragment}"),
        None => id.to_owned(),
    };
    let mut metadata = part.metadata;
    metadata.insert("format".into(), format.into());
    metadata.insert("modified".into(), timestamp(found.modified).into());
    metadata.insert("size".into(), Value::Integer(found.size as i64));
    let document = Document {
        id,
        title: part.title[..part.title.floor_char_boundary(LONGEST_TITLE)].to_owned(),
        text: part.text,
        structure: part.structure,
        metadata,
    };
    (document, part.source)
}

/// A document cut into chunks, whose spans are those in the file, the contents of which are `bytes`.
fn cut(
    encoder: &Encoder,
    document: Document,
    bytes: &[u8],
    source: &SourceMap,
) -> kenning::Result<Chunked> {
    let mut chunked = chunk(encoder, &document)?;
    let borders: Vec<usize> = chunked
        .chunks
        .iter()
        .flat_map(|chunk| [chunk.bytes.start, chunk.bytes.end])
        .collect();
    if let Some(borders) = source.file_offsets(bytes, &borders) {
        for (chunk, span) in chunked.chunks.iter_mut().zip(borders.chunks_exact(2)) {
            chunk.bytes = span[0]..span[1];
        }
    }
    Ok(Chunked {
        id: document.id,
        title: document.title,
        metadata: document.metadata,
        tokens: chunked.tokens,
        chunks: chunked.chunks,
    })
}

/// Whether a file is passed over rather than broken: there is nothing wrong with it.
fn is_skip(error: &ExtractError) -> bool {
    matches!(
        error,
        ExtractError::Empty
            | ExtractError::NoText { .. }
            | ExtractError::Binary
            | ExtractError::TooLarge { .. }
            | ExtractError::Unsupported { .. }
    )
}

/// Nanoseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as i64)
}

/// `YYYY-MM-DDTHH:MM:SSZ`, which sorts as text.
fn timestamp(nanoseconds: i64) -> String {
    from_unix(nanoseconds.div_euclid(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_those_of_the_calendar() {
        let second = 1_000_000_000;
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(951_782_400 * second), "2000-02-29T00:00:00Z");
        assert_eq!(timestamp(1_767_225_599 * second), "2025-12-31T23:59:59Z");
        assert_eq!(timestamp(-second), "1969-12-31T23:59:59Z");
    }
}
