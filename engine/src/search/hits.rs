//! Ranked documents to what is shown.

use crate::Result;
use crate::keyword::bm25::QueryTerm;
use crate::keyword::language::Language;

use super::rank::{Ranked, Ranking};
use super::request::{Explanation, Part, Passage, SearchHit, SearchRequest};
use super::snippet::Highlighter;

/// A row of a document with its scores as a passage.
struct RowScore {
    row: u32,
    semantic: Option<f32>,
    keyword: Option<f32>,
    score: f32,
}

impl Ranking<'_> {
    /// The hits of a page of the ranking.
    pub fn hits(
        &self,
        request: &SearchRequest,
        ranked: Vec<Ranked>,
        terms: &[QueryTerm],
        languages: &[Language],
    ) -> Result<Vec<SearchHit>> {
        let highlighter = Highlighter::new(terms, languages);
        let enough = |r: &Ranked| request.min_score.is_none_or(|least| r.score >= least);
        let page = ranked.into_iter().filter(enough).enumerate();
        let page = page.skip(request.offset).take(request.limit);
        page.map(|(place, r)| self.hit(request, place + 1, r, &highlighter))
            .collect()
    }

    fn hit(
        &self,
        request: &SearchRequest,
        rank: usize,
        ranked: Ranked,
        highlighter: &Highlighter,
    ) -> Result<SearchHit> {
        let stored = self.snapshot.stored_document(ranked.address)?;
        let mut passages = Vec::new();
        let rows = match request.passages {
            0 => Vec::new(),
            count => self.best_rows(&ranked, count),
        };
        for row in rows {
            let chunk = self
                .snapshot
                .stored_chunk(ranked.address.segment, row.row)?;
            let snippet = highlighter.snippet(&chunk.text);
            passages.push(Passage {
                title: chunk.title,
                lines: chunk.lines,
                bytes: chunk.bytes,
                page: chunk.page,
                text: chunk.text,
                snippet: snippet.text,
                highlights: snippet.highlights,
                semantic: row.semantic,
                keyword: row.keyword,
            });
        }
        Ok(SearchHit {
            rank,
            id: self.snapshot.id(ranked.address)?,
            title: stored.title,
            score: ranked.score,
            semantic: self.semantic.and(ranked.legs.semantic),
            keyword: self.keyword.map(|_| ranked.legs.keyword),
            passages,
            metadata: stored.metadata,
            explanation: request.explain.then(|| self.explain(&ranked)),
        })
    }

    /// The rows of a document that answer best: by the weights of the fusion, over cosine and over
    /// BM25 as a share of what the query could give.
    fn best_rows(&self, ranked: &Ranked, count: usize) -> Vec<RowScore> {
        let segment = &self.snapshot.segments()[ranked.address.segment as usize];
        let rows = segment.documents.rows(ranked.address.document);
        let cosines = self.semantic.map(|leg| leg.rows(segment, ranked.address));
        let scores = self.keyword.map(|leg| leg.rows(segment, ranked.address));
        let bound = self
            .keyword
            .map_or(0.0, |leg| leg.words().bound)
            .max(f32::MIN_POSITIVE);
        let [(_, semantic_weight), (_, keyword_weight)] = ranked.shares;
        let mut found: Vec<RowScore> = rows
            .enumerate()
            .map(|(place, row)| {
                let semantic = cosines.as_ref().map(|all| all[place]);
                let keyword = scores.as_ref().map(|all| all[place]);
                let score = semantic_weight * semantic.unwrap_or_default()
                    + keyword_weight * keyword.unwrap_or_default() / bound;
                RowScore {
                    row,
                    semantic,
                    keyword,
                    score,
                }
            })
            .collect();
        // Stable, so that of equal passages the first in the document comes first.
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(count);
        found
    }

    fn explain(&self, ranked: &Ranked) -> Explanation {
        let segment = &self.snapshot.segments()[ranked.address.segment as usize];
        let raw = [
            self.semantic
                .map(|_| ranked.legs.semantic.unwrap_or_default()),
            self.keyword.map(|_| ranked.legs.keyword),
        ];
        let parts = ["semantic", "keyword"]
            .into_iter()
            .zip(raw)
            .zip(ranked.shares);
        let parts = parts.filter_map(|((leg, raw), (normalised, weight))| {
            raw.map(|raw| Part {
                leg,
                raw,
                normalised,
                weight,
                score: weight * normalised,
            })
        });
        Explanation {
            parts: parts.collect(),
            terms: self
                .keyword
                .map_or(Vec::new(), |leg| leg.explain(segment, ranked.address)),
        }
    }
}
