//! The columns of the index: one row a chunk, the rows of a document next to each other.
//!
//! | field | kind | on | what |
//! |---|---|---|---|
//! | `id` | term, column | every row | the document's id; deletes go by it |
//! | `chunk` | column | every row | the chunk's ordinal; 0 begins a document |
//! | `length` | column | every row | terms of the row's body that count for BM25 |
//! | `tokens` | column | every row | tokens of the document in the chunk |
//! | `whole` | column | first row | tokens of the whole document, as counted before it was cut |
//! | `language` | term | every row | the language its words were stemmed in |
//! | `body` | postings, positions | every row | the terms of the chunk's heading path and text |
//! | `title` | postings, positions | every row | the terms of the chunk's heading path |
//! | `facts` | columns by name | first row | the document's metadata |
//! | `row` | stored | every row | [`StoredChunk`] |
//! | `document` | stored | first row | [`StoredDocument`] |
//! | `embedding` | vector column | every row | the chunk's vector |

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tantivy::schema::{
    FAST, Field, FieldType, IndexRecordOption, JsonObjectOptions, STORED, STRING, Schema,
    TextFieldIndexing, TextOptions,
};

use crate::document::Metadata;
use crate::encoder::EncoderSpec;
use crate::vector::plugin::FIELD_TYPE;

use super::IndexError;

/// The layout that this version writes and reads.
pub const FORMAT: u32 = 1;

/// The name under which tantivy knows the analyser. Terms are made by Kenning and handed over ready,
/// so it is never asked to cut anything.
const TOKENIZER: &str = "raw";

/// What is fixed for the life of an index; kept in tantivy's own schema file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexSpec {
    /// Layout version.
    pub format: u32,
    /// The encoder that made the vectors.
    pub encoder: EncoderSpec,
}

/// What is stored with every chunk, for showing it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredChunk {
    /// Heading path.
    #[serde(rename = "h", default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The passage.
    #[serde(rename = "t")]
    pub text: String,
    /// Byte span as the [`Chunk`](crate::chunk::Chunk) had it: in the document's text, which for a
    /// converted file (DOCX, PDF, HTML and so on) is the extracted text; in the file itself where the
    /// program that indexed it said so.
    #[serde(rename = "b")]
    pub bytes: [u64; 2],
    /// First and last line in the document's text, from 1: in the extracted text, not in the file,
    /// where the file was converted.
    #[serde(rename = "l")]
    pub lines: [u32; 2],
    /// The page of the file that it begins on, from 1, where the file has pages.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// The document's tokens in it.
    #[serde(rename = "n")]
    pub tokens: u32,
}

/// What is stored once a document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredDocument {
    /// Its title.
    pub title: String,
    /// Its metadata.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// How many chunks it has.
    pub chunks: u32,
    /// How many tokens it has; all of them are embedded.
    pub tokens: u64,
    /// Whatever the program that wrote it wants to find again; the engine does not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// The fields of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    pub id: Field,
    pub chunk: Field,
    pub length: Field,
    pub tokens: Field,
    pub whole: Field,
    pub language: Field,
    pub body: Field,
    pub title: Field,
    pub facts: Field,
    pub row: Field,
    pub document: Field,
    pub embedding: Field,
}

/// The schema of an index of `spec`.
pub fn build(spec: &IndexSpec) -> Result<(Schema, Fields), IndexError> {
    let terms = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_fieldnorms(false)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions),
    );
    let params = serde_json::to_value(spec).map_err(|error| IndexError::Damaged {
        reason: format!("the encoder cannot be described: {error}"),
    })?;
    let mut schema = Schema::builder();
    let fields = Fields {
        id: schema.add_text_field("id", STRING | FAST),
        chunk: schema.add_u64_field("chunk", FAST),
        length: schema.add_u64_field("length", FAST),
        tokens: schema.add_u64_field("tokens", FAST),
        whole: schema.add_u64_field("whole", FAST),
        language: schema.add_text_field("language", STRING),
        body: schema.add_text_field("body", terms.clone()),
        title: schema.add_text_field("title", terms),
        facts: schema.add_json_field("facts", JsonObjectOptions::default().set_fast(TOKENIZER)),
        row: schema.add_text_field("row", STORED),
        document: schema.add_text_field("document", STORED),
        embedding: schema.add_custom_field("embedding", FIELD_TYPE, params),
    };
    Ok((schema.build(), fields))
}

/// Refuses a `meta.json` whose schema has two fields of one name, over which tantivy panics. What else may be wrong with
/// it tantivy says.
pub fn check_names(meta: &[u8]) -> Result<(), IndexError> {
    #[derive(Deserialize)]
    struct Meta {
        schema: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        name: String,
    }
    let Ok(meta) = serde_json::from_slice::<Meta>(meta) else {
        return Ok(());
    };
    let mut known = BTreeSet::new();
    match meta.schema.iter().find(|entry| !known.insert(&entry.name)) {
        Some(twice) => Err(IndexError::Damaged {
            reason: format!("its schema has two fields {:?}", twice.name),
        }),
        None => Ok(()),
    }
}

/// Reads fields and spec back from the schema of an index on disk.
pub fn read(schema: &Schema) -> Result<(IndexSpec, Fields), IndexError> {
    let field = |name: &str| {
        schema.get_field(name).map_err(|_| IndexError::Format {
            found: format!("without the field {name:?}"),
            supported: FORMAT,
        })
    };
    let embedding = field("embedding")?;
    let FieldType::Custom(options) = schema.get_field_entry(embedding).field_type() else {
        return Err(IndexError::Format {
            found: "without a vector column".into(),
            supported: FORMAT,
        });
    };
    let format = options.params().get("format").and_then(|v| v.as_u64());
    if format != Some(u64::from(FORMAT)) {
        return Err(IndexError::Format {
            found: format.map_or("unknown".into(), |format| format.to_string()),
            supported: FORMAT,
        });
    }
    let spec: IndexSpec =
        serde_json::from_value(options.params().clone()).map_err(|error| IndexError::Damaged {
            reason: format!("the description of its encoder cannot be read: {error}"),
        })?;
    let fields = Fields {
        id: field("id")?,
        chunk: field("chunk")?,
        length: field("length")?,
        tokens: field("tokens")?,
        whole: field("whole")?,
        language: field("language")?,
        body: field("body")?,
        title: field("title")?,
        facts: field("facts")?,
        row: field("row")?,
        document: field("document")?,
        embedding,
    };
    Ok((spec, fields))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// tantivy panicked over an index that somebody else had made.
    #[test]
    fn two_fields_of_one_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let spec: EncoderSpec = serde_json::from_value(serde_json::json!({
            "model": "m", "architecture": "bert", "settings": "", "dimension": 2, "max_tokens": 64,
            "pooling": "mean", "normalise": true, "query_prompt": "", "passage_prompt": "",
            "weights_sha256": "00", "tokenizer_sha256": "00", "precision": "f32",
        }))
        .unwrap();
        crate::Index::create(folder.path(), &spec).unwrap();
        let path = folder.path().join("meta.json");
        let text = std::fs::read_to_string(&path).unwrap();
        // Without its checksum, as earlier versions wrote it.
        let (body, _) = text.split_once(",\n  \"crc32\"").unwrap();
        let text = format!("{body}\n}}\n");
        let doubled = text.replacen("\"name\": \"chunk\"", "\"name\": \"id\"", 1);
        assert_ne!(text, doubled);
        std::fs::write(&path, doubled).unwrap();
        let error = crate::Index::open(folder.path()).map(drop).unwrap_err();
        assert!(error.to_string().contains("two fields \"id\""), "{error}");
    }
}
