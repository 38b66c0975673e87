//! What an index should hold, and what both of its legs say that it holds.

use std::collections::BTreeMap;

use kenning::encoder::EncoderSpec;
use kenning::index::EmbeddedDocument;
use kenning::search::Vectors;
use kenning::{Index, Language, Mode, SearchRequest, Snapshot};

use super::common;
pub use super::common::Random;

/// Components of a vector.
pub const DIMENSION: usize = 16;

pub fn spec() -> EncoderSpec {
    common::spec(DIMENSION, 256)
}

/// The version of each document, and its number of chunks.
pub type Model = BTreeMap<String, (u64, usize)>;

/// A direction for a chunk of a version of a document, and of no other.
fn vector(id: &str, version: u64, chunk: usize) -> Vec<f32> {
    let seed = id.bytes().fold(version * 1_000 + chunk as u64, |seed, b| {
        seed.wrapping_mul(31).wrapping_add(u64::from(b))
    });
    Random(seed).direction(DIMENSION)
}

/// A word that is in this version of a document and nowhere else.
fn word(id: &str, version: u64) -> String {
    format!("{id}v{version}")
}

fn text(id: &str, version: u64, chunk: usize) -> String {
    format!("common {} part{chunk}", word(id, version))
}

pub fn document(id: &str, version: u64, chunks: usize) -> EmbeddedDocument {
    let texts = (0..chunks).map(|chunk| text(id, version, chunk)).collect();
    let mut document = common::document(id, texts, 3, &[]);
    document.embeddings = (0..chunks).map(|c| vector(id, version, c)).collect();
    document.language = Some(Language::Other);
    document
        .metadata
        .insert("version".into(), (version as i64).into());
    document
}

fn ask(
    snapshot: &Snapshot,
    query: &str,
    mode: Mode,
    vector: Option<&[f32]>,
    vectors: Vectors,
) -> Result<Vec<kenning::SearchHit>, String> {
    let mut request = SearchRequest::new(query).with_mode(mode).with_limit(500);
    (request.vectors, request.passages) = (vectors, 100);
    let found = snapshot.search(&request, vector);
    Ok(found.map_err(|error| error.to_string())?.hits)
}

/// What an index holds. `Err` for an error that it answers with.
///
/// # Panics
/// If its parts do not agree with each other: then no error may excuse it.
pub fn observe(index: &Index) -> Result<Model, String> {
    let snapshot = index.snapshot().map_err(|error| error.to_string())?;
    observe_snapshot(&snapshot)
}

pub fn observe_snapshot(snapshot: &Snapshot) -> Result<Model, String> {
    let mut model = Model::new();
    let mut rows = 0;
    let stored = snapshot.for_each_document(|id, stored| {
        let Some(kenning::Value::Integer(version)) = stored.metadata.get("version") else {
            panic!("{id} has no version");
        };
        rows += u64::from(stored.chunks);
        let known = (*version as u64, stored.chunks as usize);
        assert_eq!(model.insert(id.clone(), known), None, "{id} is there twice");
        Ok(())
    });
    stored.map_err(|error| error.to_string())?;
    assert_eq!(snapshot.documents(), model.len() as u64);
    assert_eq!(snapshot.chunks(), rows, "rows and stored documents differ");
    let any = vector("any", 0, 0);
    let all = ask(
        snapshot,
        "common",
        Mode::Semantic,
        Some(&any),
        Vectors::Exact,
    )?;
    assert_eq!(all.len(), model.len(), "the semantic leg");
    for hit in all {
        let (version, chunks) = model[&hit.id];
        assert_eq!(hit.passages.len(), chunks, "vectors of {}", hit.id);
        for passage in hit.passages {
            let chunk = (0..chunks).find(|&c| text(&hit.id, version, c) == passage.text);
            let chunk = chunk.unwrap_or_else(|| panic!("{} is of no version", passage.text));
            let own = vector(&hit.id, version, chunk);
            let cosine: f32 = own.iter().zip(&any).map(|(a, b)| a * b).sum();
            let found = passage.semantic.unwrap_or(f32::NAN);
            assert!((found - cosine).abs() < 1e-4, "the vector of {}", hit.id);
        }
    }
    let all = ask(snapshot, "common", Mode::Keyword, None, Vectors::Exact)?;
    assert_eq!(all.len(), model.len(), "the keyword leg");
    for (id, &(version, _)) in &model {
        let hits = ask(
            snapshot,
            &word(id, version),
            Mode::Keyword,
            None,
            Vectors::Exact,
        )?;
        let ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
        assert_eq!(ids, [id.as_str()], "the word of version {version}");
        // However vectors are searched: a damaged graph may miss, but never shows what is not there.
        let own = vector(id, version, 0);
        let hits = ask(snapshot, "", Mode::Semantic, Some(&own), Vectors::Auto)?;
        for hit in &hits {
            assert!(model.contains_key(&hit.id), "{} is not there", hit.id);
        }
        let hits = ask(
            snapshot,
            &word(id, version),
            Mode::Hybrid,
            Some(&own),
            Vectors::Auto,
        )?;
        assert_eq!(hits[0].id, *id, "by both legs");
    }
    Ok(model)
}
