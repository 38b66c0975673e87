//! A document as rows of the index, one a chunk.

use std::collections::BTreeMap;

use tantivy::TantivyDocument;
use tantivy::schema::OwnedValue;
use tantivy::tokenizer::{PreTokenizedString, Token};

use crate::chunk::Chunk;
use crate::document::{Metadata, Value};
use crate::keyword::analyser::{self, Analyser};
use crate::keyword::language::Language;
use crate::vector::plugin::to_bytes;
use crate::{Error, Result};

use super::schema::{Fields, StoredChunk, StoredDocument};
use super::{EmbeddedDocument, IndexError};

/// The rows of a document.
pub fn rows(fields: &Fields, document: EmbeddedDocument) -> Result<Vec<TantivyDocument>> {
    let language = document.language.unwrap_or_else(|| {
        let longest = document.chunks.iter().max_by_key(|chunk| chunk.text.len());
        longest.map_or(Language::English, |chunk| Language::detect(&chunk.text))
    });
    let analyser = Analyser::new(language);
    let stored = StoredDocument {
        title: document.title,
        chunks: document.chunks.len() as u32,
        tokens: document.tokens,
        metadata: document.metadata,
        state: document.state,
    };
    let embedded = document.chunks.into_iter().zip(document.embeddings);
    let mut rows = Vec::new();
    for (ordinal, (chunk, embedding)) in embedded.enumerate() {
        let mut row = TantivyDocument::new();
        row.add_text(fields.id, &document.id);
        row.add_u64(fields.chunk, ordinal as u64);
        row.add_text(fields.language, language.code());
        row.add_custom(fields.embedding, &to_bytes(&embedding));
        add_terms(&mut row, fields, &analyser, &chunk);
        row.add_u64(fields.tokens, u64::from(chunk.tokens));
        if ordinal == 0 {
            row.add_u64(fields.whole, stored.tokens);
            row.add_text(fields.document, to_json(&stored)?);
            row.add_object(fields.facts, facts(&stored.metadata));
        }
        row.add_text(fields.row, to_json(&StoredChunk::from(chunk))?);
        rows.push(row);
    }
    Ok(rows)
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        let error = std::io::Error::other(error);
        Error::from(IndexError::from(error))
    })
}

/// The terms of a chunk: those of its title, then those of its text, as in the embedding.
fn add_terms(row: &mut TantivyDocument, fields: &Fields, analyser: &Analyser, chunk: &Chunk) {
    let title = analyser.terms(&chunk.title);
    let mut terms = title.clone();
    // A gap, so that no phrase reaches from the title into the text.
    let gap = terms.last().map_or(0, |term| term.position + 2);
    terms.extend(analyser.terms(&chunk.text).into_iter().map(|mut term| {
        term.position += gap;
        term
    }));
    let length = terms.iter().filter(|term| !term.stop).count();
    row.add_u64(fields.length, length as u64);
    row.add_pre_tokenized_text(fields.body, pre_tokenized(terms));
    row.add_pre_tokenized_text(fields.title, pre_tokenized(title));
}

fn pre_tokenized(terms: Vec<analyser::Term>) -> PreTokenizedString {
    let tokens = terms.into_iter().map(|term| Token {
        offset_from: term.span.start,
        offset_to: term.span.end,
        position: term.position as usize,
        text: term.text,
        position_length: 1,
    });
    PreTokenizedString {
        text: String::new(),
        tokens: tokens.collect(),
    }
}

impl From<Chunk> for StoredChunk {
    fn from(chunk: Chunk) -> Self {
        StoredChunk {
            title: chunk.title,
            text: chunk.text,
            bytes: [chunk.bytes.start as u64, chunk.bytes.end as u64],
            lines: [chunk.lines.0, chunk.lines.1],
            page: chunk.page,
            tokens: chunk.tokens,
        }
    }
}

/// Metadata as tantivy stores it: one column a name.
fn facts(metadata: &Metadata) -> BTreeMap<String, OwnedValue> {
    fn owned(value: &Value) -> OwnedValue {
        match value {
            Value::Bool(flag) => OwnedValue::Bool(*flag),
            Value::Integer(number) => OwnedValue::I64(*number),
            Value::Float(number) => OwnedValue::F64(*number),
            Value::Text(text) => OwnedValue::Str(text.clone()),
            Value::List(values) => OwnedValue::Array(values.iter().map(owned).collect()),
        }
    }
    let facts = metadata.iter();
    facts
        .map(|(name, value)| (name.clone(), owned(value)))
        .collect()
}
