//! Documents to embedded documents: cut into chunks, then encode the chunks together.

use crate::Result;
use crate::chunk::{self, Chunk, ChunkOptions, Chunked};
use crate::document::Document;
use crate::encoder::Encoder;

use super::EmbeddedDocument;

/// How `encoder` wants documents cut: as large as it reads at once.
pub fn chunk_options(encoder: &Encoder) -> ChunkOptions {
    let overhead = encoder.special_tokens() + encoder.passage_prompt_ids().len();
    ChunkOptions::new(encoder.spec().max_tokens.saturating_sub(overhead))
}

/// Cuts a document into chunks that `encoder` can read. The title of a document without text is its text.
///
/// # Errors
/// [`crate::Error::Chunk`] for blocks that do not lie in the text.
pub fn chunk(encoder: &Encoder, document: &Document) -> Result<Chunked> {
    if document.text.trim().is_empty() && !document.title.trim().is_empty() {
        // A document that is only a title is found by it.
        let title = Document::new(&document.id, &document.title);
        return chunk(encoder, &title);
    }
    chunk::chunk(document, &chunk_options(encoder), &|text| {
        encoder.tokenize(text)
    })
}

/// The vectors of chunks, one each, in order.
pub fn encode_chunks(encoder: &Encoder, chunks: &[&Chunk]) -> Result<Vec<Vec<f32>>> {
    let prompt = encoder.passage_prompt_ids();
    if prompt.is_empty() {
        let inputs: Vec<&[u32]> = chunks.iter().map(|chunk| chunk.input.as_slice()).collect();
        return encoder.encode_ids(&inputs);
    }
    let inputs: Vec<Vec<u32>> = chunks
        .iter()
        .map(|chunk| [prompt, &chunk.input].concat())
        .collect();
    let inputs: Vec<&[u32]> = inputs.iter().map(Vec::as_slice).collect();
    encoder.encode_ids(&inputs)
}

/// Cuts `documents` into chunks and embeds them, in one call to the encoder so that its batches are
/// full.
pub fn embed(encoder: &Encoder, documents: Vec<Document>) -> Result<Vec<EmbeddedDocument>> {
    let chunked: Vec<Chunked> = documents
        .iter()
        .map(|document| chunk(encoder, document))
        .collect::<Result<_>>()?;
    let chunks: Vec<&Chunk> = chunked.iter().flat_map(|c| &c.chunks).collect();
    let mut vectors = encode_chunks(encoder, &chunks)?.into_iter();
    let pairs = documents.into_iter().zip(chunked);
    let embedded = pairs.map(|(document, chunked)| EmbeddedDocument {
        id: document.id,
        title: document.title,
        metadata: document.metadata,
        embeddings: vectors.by_ref().take(chunked.chunks.len()).collect(),
        chunks: chunked.chunks,
        tokens: chunked.tokens,
        language: None,
        state: None,
    });
    Ok(embedded.collect())
}
