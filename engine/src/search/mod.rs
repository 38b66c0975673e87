//! The query path: a request to ranked documents.
//!
//! Reading order: `request` (what is asked and answered), `eligible` (which documents may be
//! found), `best` and `segment` (documents by rough scores), `semantic` and `crate::keyword::bm25` (the legs), `fusion` (two
//! rankings into one), `contenders` and `rank` (candidates to an order), `hits` (an order to what is shown).

mod best;
mod contenders;
mod eligible;
mod error;
mod filter;
mod fusion;
mod hits;
mod rank;
mod request;
mod segment;
mod semantic;
mod similar;
mod snippet;

use std::time::Instant;

use crate::Result;
use crate::encoder::Role;
use crate::index::snapshot::Snapshot;
use crate::index::{Index, IndexError};
use crate::keyword::bm25::{KeywordScores, query_terms};
use crate::keyword::{postings, query};

use eligible::Eligible;
use rank::Ranking;
use semantic::{Breadth, SemanticScores};

pub use crate::keyword::bm25::{TermScore, Words};
pub use error::QueryError;
pub use filter::{Fact, Filter, Operator};
pub use fusion::{Fusion, Legs, Share};
pub use request::{
    DEFAULT_EFFORT, Explanation, Mode, Part, Passage, Plan, SearchHit, SearchRequest,
    SearchResponse, Vectors,
};
#[cfg(any(test, fuzzing))]
pub(crate) use snippet::Highlighter;

/// Whether anything is relevant is told by so many documents, so that the limit does not decide it.
const BELIEVED: usize = 10;

impl Index {
    /// Answers a request from the last commit.
    ///
    /// # Errors
    /// [`QueryError`] for a request that makes no sense, [`IndexError::NoEncoder`] for a mode with
    /// vectors on an index without an encoder.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchResponse> {
        let begun = Instant::now();
        let snapshot = self.snapshot()?;
        let parsed = query::parse(&request.query);
        let embedding = match request.mode {
            Mode::Keyword => None,
            _ if !parsed.text.trim().is_empty() => {
                let encoded = self.encoder()?.encode(Role::Query, &[&parsed.text])?;
                encoded.into_iter().next().map(|encoded| encoded.embedding)
            }
            // Beginnings of words mean nothing by themselves.
            Mode::Hybrid if !parsed.prefixes.is_empty() => {
                let request = SearchRequest {
                    mode: Mode::Keyword,
                    ..request.clone()
                };
                return snapshot.search(&request, None);
            }
            _ => return Err(QueryError::Empty.into()),
        };
        let mut response = snapshot.search(request, embedding.as_deref())?;
        response.took = begun.elapsed();
        Ok(response)
    }
}

impl Snapshot {
    /// Answers a request; `embedding` is the query's vector, of unit length, for the modes that
    /// compare vectors.
    ///
    /// # Errors
    /// [`QueryError`] for a request that makes no sense, [`IndexError::NoEncoder`] if the mode needs
    /// a vector and there is none.
    pub fn search(
        &self,
        request: &SearchRequest,
        embedding: Option<&[f32]>,
    ) -> Result<SearchResponse> {
        let begun = Instant::now();
        let parsed = query::parse(&request.query);
        let asks = parsed.text.trim().is_empty() && parsed.prefixes.is_empty();
        if asks && embedding.is_none() {
            return Err(QueryError::Empty.into());
        }
        let languages = postings::languages(self).map_err(IndexError::from)?;
        let filters: Vec<Filter> = parsed
            .filters
            .iter()
            .map(|text| Filter::parse(text))
            .collect::<Result<_, _>>()?;
        let filters: Vec<&Filter> = filters.iter().chain(&request.filter).collect();
        let eligible = Eligible::evaluate(self, &filters, &parsed.constraints, &languages)?;
        let terms = query_terms(&parsed, &languages);
        let count = request.offset.saturating_add(request.limit).max(BELIEVED);
        let semantic = self.semantic_leg(request, embedding, &eligible, count)?;
        let keyword = match request.mode {
            Mode::Semantic => None,
            _ => Some(KeywordScores::compute(self, terms.clone()).map_err(IndexError::from)?),
        };
        let ranking = Ranking {
            snapshot: self,
            eligible: &eligible,
            semantic: semantic.as_ref(),
            keyword: keyword.as_ref(),
            fusion: request.fusion,
        };
        let plan = Plan {
            vectors: semantic.as_ref().map_or("none", SemanticScores::plan),
            rows_compared: semantic.as_ref().map_or(0, |leg| leg.rows_compared),
            documents_allowed: eligible.count(self),
            documents: self.documents(),
            terms: terms.iter().map(|term| term.word.clone()).collect(),
        };
        let ranked = ranking.ranked(count)?;
        let relevant = ranking.relevant(&ranked[..ranked.len().min(BELIEVED)]);
        let hits = ranking.hits(request, ranked, &terms, &languages)?;
        Ok(SearchResponse {
            query: request.query.clone(),
            mode: request.mode,
            generation: self.generation(),
            took: begun.elapsed(),
            plan,
            relevant,
            hits,
        })
    }

    fn semantic_leg(
        &self,
        request: &SearchRequest,
        embedding: Option<&[f32]>,
        eligible: &Eligible,
        count: usize,
    ) -> Result<Option<SemanticScores>> {
        if request.mode == Mode::Keyword {
            return Ok(None);
        }
        let encoder = &self.spec().encoder;
        let Some(vector) = embedding else {
            let model = encoder.model.clone();
            return Err(IndexError::NoEncoder { model }.into());
        };
        if vector.len() != encoder.dimension {
            return Err(QueryError::Dimension {
                found: vector.len(),
                expected: encoder.dimension,
            }
            .into());
        }
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        // The mean of opposite passages is nothing, and is as far from everything.
        if !length.is_finite() || (length != 0.0 && (length - 1.0).abs() > 1e-3) {
            return Err(QueryError::Length { found: length }.into());
        }
        let asked = request.effort.unwrap_or(DEFAULT_EFFORT).max(1);
        // Fusion takes its scale from the first documents of each leg; alone, a leg shows its first.
        let effort = asked.max(match request.mode {
            Mode::Hybrid => DEFAULT_EFFORT,
            _ => BELIEVED,
        });
        let breadth = Breadth {
            vectors: request.vectors,
            effort,
            count,
        };
        let scores = SemanticScores::compute(self, vector, eligible, breadth);
        Ok(Some(scores))
    }
}
