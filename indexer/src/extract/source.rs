//! Where an extracted text lies in its file.

use serde::{Deserialize, Serialize};

use super::charset::Charset;

/// How offsets into a text relate to offsets into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceMap {
    /// A text offset is the byte offset in the file.
    Identity,
    /// The file begins with a mark of so many bytes that is not part of the text.
    Bom(usize),
    /// The text is the decoded file, after a mark of `mark` bytes.
    Encoded {
        /// What the file is encoded in.
        charset: Charset,
        /// Bytes of byte order mark before the text.
        mark: usize,
    },
    /// The text was taken out of a structure (DOCX, PDF, HTML and so on): offsets and line numbers refer
    /// to the extracted text and to nothing else.
    Extracted,
}

impl SourceMap {
    /// For each of `offsets` (ascending, into the text, on character borders) the byte offset in the
    /// file whose whole content is `file`. None if the text is not a copy of the file.
    pub fn file_offsets(&self, file: &[u8], offsets: &[usize]) -> Option<Vec<usize>> {
        match *self {
            SourceMap::Identity => Some(offsets.to_vec()),
            SourceMap::Bom(mark) => Some(offsets.iter().map(|offset| offset + mark).collect()),
            SourceMap::Encoded { charset, mark } => {
                let text = file.get(mark..)?;
                let mut found = charset.byte_offsets(text, offsets);
                found.iter_mut().for_each(|offset| *offset += mark);
                Some(found)
            }
            SourceMap::Extracted => None,
        }
    }
}
