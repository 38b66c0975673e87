//! A collection put to the engine: index its documents, ask its queries, score the rankings.

use std::time::Instant;

use kenning::encoder::Role;
use kenning::search::{Fusion, Mode, SearchRequest};
use kenning::{Index, Snapshot};

use crate::beir::Query;
use crate::metrics::{Measure, Scores, evaluate};
use crate::trec::{Ranked, Run};
use crate::{Collection, Judgements};

/// Rankings are this deep, as is usual for BEIR.
const DEPTH: usize = 1_000;
/// Documents are committed so many at a time.
const COMMIT_EVERY: usize = 5_000;

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// How long indexing took, in seconds; 0 if the index was there.
    pub index_seconds: f64,
    /// One for each mode.
    pub runs: Vec<Scored>,
}

/// A run with its scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The rankings; the run is named for its mode.
    pub run: Run,
    /// How well they did, by [`Measure::STANDARD`].
    pub scores: Scores,
    /// How long all queries took, the embedding of the queries included, in seconds.
    pub seconds: f64,
}

/// Every mode, in the order of tables.
pub const MODES: [Mode; 3] = [Mode::Keyword, Mode::Semantic, Mode::Hybrid];

/// The name of a mode, as in file names and JSON.
pub fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Hybrid => "hybrid",
        Mode::Semantic => "semantic",
        Mode::Keyword => "keyword",
    }
}

/// Indexes the collection, unless the index holds documents already, and asks its queries in each mode.
/// `progress` is told how many of how many documents are indexed.
///
/// # Errors
///
/// Whatever the engine answers; [`kenning::index::IndexError::NoEncoder`] if the index has no encoder.
pub fn run(
    index: &Index,
    collection: &Collection,
    modes: &[Mode],
    fusion: Fusion,
    progress: &mut dyn FnMut(usize, usize),
) -> kenning::Result<Experiment> {
    let begun = Instant::now();
    let mut index_seconds = 0.0;
    if index.snapshot()?.documents() == 0 {
        let mut writer = index.writer()?;
        for (place, document) in collection.documents.iter().enumerate() {
            writer.upsert(document.clone())?;
            if (place + 1) % COMMIT_EVERY == 0 {
                writer.commit()?;
            }
            progress(place + 1, collection.documents.len());
        }
        writer.commit()?;
        writer.close()?;
        index_seconds = begun.elapsed().as_secs_f64();
    }
    let snapshot = index.snapshot()?;
    let runs = modes.iter().map(|&mode| {
        let begun = Instant::now();
        let run = ask(index, &snapshot, &collection.queries, mode, fusion)?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(scored(run, &collection.judgements, seconds))
    });
    Ok(Experiment {
        index_seconds,
        runs: runs.collect::<kenning::Result<_>>()?,
    })
}

fn scored(run: Run, judgements: &Judgements, seconds: f64) -> Scored {
    Scored {
        scores: evaluate(&run, judgements, &Measure::STANDARD),
        run,
        seconds,
    }
}

/// A collection's query as plain text: its quotes, dashes and asterisks are prose, not search syntax.
fn plain(text: &str) -> String {
    text.replace(['"', '*'], " ").replace(" -", " ")
}

/// Asks queries, one after the other. They are taken as plain text.
pub fn ask(
    index: &Index,
    snapshot: &Snapshot,
    queries: &[Query],
    mode: Mode,
    fusion: Fusion,
) -> kenning::Result<Run> {
    let mut run = Run {
        name: mode_name(mode).to_owned(),
        ..Run::default()
    };
    for query in queries {
        let text = plain(&query.text);
        let mut request = SearchRequest::new(&text).with_mode(mode).with_limit(DEPTH);
        request.fusion = fusion;
        // Only the ranking is wanted.
        request.passages = 0;
        let embedding = match mode {
            Mode::Keyword => None,
            _ => {
                let encoded = index.encoder()?.encode(Role::Query, &[&text])?;
                encoded.into_iter().next().map(|encoded| encoded.embedding)
            }
        };
        let response = snapshot.search(&request, embedding.as_deref())?;
        let ranking = response.hits.into_iter().map(|hit| Ranked {
            document: hit.id,
            score: f64::from(hit.score),
        });
        run.rankings.insert(query.id.clone(), ranking.collect());
    }
    Ok(run)
}
