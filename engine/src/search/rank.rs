//! Candidates of both legs, scored by both, in one order.

use std::collections::HashSet;

use crate::Result;
use crate::index::snapshot::{DocumentAddress, Snapshot};
use crate::keyword::bm25::KeywordScores;

use super::eligible::Eligible;
use super::fusion::{Fusion, Legs, Share};
use super::semantic::{Scored, SemanticScores};

/// Each leg nominates so many documents. It is fixed, so that the first ten are the same for any
/// limit; a request for more documents than this nominates as many as it asks for.
const DEPTH: usize = 1_000;

/// Cosine plus share of the words, and cosine alone, below which nothing is believed relevant. Measured
/// with all-MiniLM-L6-v2 on the questions of four collections put to each other's documents: some 1 and 2 %
/// of a collection's own questions fall below, and 98 % of the others'. For an encoder whose cosines are all
/// high the test never fires.
const RELEVANT: f32 = 0.6;
const RELEVANT_COSINE: f32 = 0.4;

/// One query over one snapshot, with the scores of its legs.
pub struct Ranking<'a> {
    pub snapshot: &'a Snapshot,
    pub eligible: &'a Eligible,
    pub semantic: Option<&'a SemanticScores>,
    pub keyword: Option<&'a KeywordScores>,
    pub fusion: Fusion,
}

/// A document in its place.
#[derive(Debug, Clone, Copy)]
pub struct Ranked {
    pub address: DocumentAddress,
    pub legs: Legs,
    /// Contributions of the semantic and the keyword leg.
    pub shares: [Share; 2],
    pub score: f32,
}

impl Ranking<'_> {
    /// The best `count` documents, best first; equal scores by id.
    pub fn ranked(&self, count: usize) -> Result<Vec<Ranked>> {
        let depth = DEPTH.max(count);
        let addresses = self.candidates(depth)?;
        let legs: Vec<Legs> = addresses.iter().map(|&a| self.legs(a)).collect();
        let shares = self.shares(&legs);
        let mut ranked: Vec<Ranked> = addresses
            .into_iter()
            .zip(legs)
            .zip(shares)
            .map(|((address, legs), shares)| Ranked {
                address,
                legs,
                shares,
                score: shares.iter().map(|(value, weight)| value * weight).sum(),
            })
            .collect();
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.order_equals(&mut ranked, count)?;
        ranked.truncate(count);
        Ok(ranked)
    }

    /// Documents that either leg nominates.
    fn candidates(&self, depth: usize) -> Result<Vec<DocumentAddress>> {
        let mut found = Vec::new();
        if let Some(semantic) = self.semantic {
            let best = self.cut(semantic.best(self.snapshot, depth), depth)?;
            found.extend(best.into_iter().map(|scored| scored.address));
        }
        let mut seen: HashSet<DocumentAddress> = found.iter().copied().collect();
        for scored in self.cut(self.found_by_keyword(), depth)? {
            if seen.insert(scored.address) {
                found.push(scored.address);
            }
        }
        Ok(found)
    }

    /// The best `depth` documents, in no order. Where the cut falls among equal ones it is by id: where
    /// rows lie must not decide which are found.
    fn cut(&self, mut found: Vec<Scored>, depth: usize) -> Result<Vec<Scored>> {
        if found.len() <= depth || depth == 0 {
            return Ok(found);
        }
        let by_score = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score);
        let (_, last, _) = found.select_nth_unstable_by(depth - 1, by_score);
        let border = last.score;
        let equal: Vec<Scored> = found
            .iter()
            .copied()
            .filter(|s| s.score == border)
            .collect();
        found.retain(|scored| scored.score > border);
        let mut named: Vec<(String, Scored)> = equal
            .into_iter()
            .map(|scored| Ok((self.snapshot.id(scored.address)?, scored)))
            .collect::<Result<_>>()?;
        named.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let room = depth - found.len();
        found.extend(named.into_iter().take(room).map(|(_, scored)| scored));
        Ok(found)
    }

    fn found_by_keyword(&self) -> Vec<Scored> {
        let Some(keyword) = self.keyword else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for segment in 0..self.snapshot.segments().len() {
            for (document, &score) in (0u32..).zip(keyword.documents(segment)) {
                if score > 0.0 && self.eligible.allows(segment, document) {
                    let address = DocumentAddress {
                        segment: segment as u32,
                        document,
                    };
                    found.push(Scored { address, score });
                }
            }
        }
        found
    }

    /// Both scores of a document, whichever leg nominated it.
    fn legs(&self, address: DocumentAddress) -> Legs {
        let segment = &self.snapshot.segments()[address.segment as usize];
        let place = address.segment as usize;
        Legs {
            semantic: self.semantic.and_then(|leg| leg.document(segment, address)),
            keyword: self
                .keyword
                .map_or(0.0, |leg| leg.documents(place)[address.document as usize]),
        }
    }

    /// A single leg is shown as it is: a cosine or a BM25.
    fn shares(&self, legs: &[Legs]) -> Vec<[Share; 2]> {
        match (self.semantic, self.keyword) {
            (Some(_), Some(keyword)) => self.fusion.shares(legs, keyword.words()),
            (Some(_), None) => {
                let cosines = legs.iter().map(|l| l.semantic.unwrap_or_default());
                cosines.map(|cosine| [(cosine, 1.0), (0.0, 0.0)]).collect()
            }
            _ => {
                let scores = legs.iter().map(|l| l.keyword);
                scores.map(|score| [(0.0, 0.0), (score, 1.0)]).collect()
            }
        }
    }

    /// Puts documents of equal score in the order of their ids, as far as `count` documents reach:
    /// where rows lie must not show.
    fn order_equals(&self, ranked: &mut [Ranked], count: usize) -> Result<()> {
        let mut start = 0;
        while start < ranked.len().min(count) {
            let score = ranked[start].score;
            let equal = ranked[start..].iter().take_while(|r| r.score == score);
            let end = start + equal.count().max(1);
            if end - start > 1 {
                let ids: Vec<String> = ranked[start..end]
                    .iter()
                    .map(|r| self.snapshot.id(r.address))
                    .collect::<Result<_>>()?;
                let mut keyed: Vec<(String, Ranked)> = ids
                    .into_iter()
                    .zip(ranked[start..end].iter().copied())
                    .collect();
                keyed.sort_by(|a, b| a.0.cmp(&b.0));
                for (place, (_, r)) in ranked[start..end].iter_mut().zip(keyed) {
                    *place = r;
                }
            }
            start = end;
        }
        Ok(())
    }

    /// Whether any document looks like an answer, as far as its cosine and the share of the query's
    /// words that it holds can tell. It knows a foreign topic, not a missing fact.
    pub fn relevant(&self, ranked: &[Ranked]) -> bool {
        let bound = self.keyword.map_or(0.0, |leg| leg.words().bound);
        ranked.iter().any(|r| {
            let cosine = r.legs.semantic.unwrap_or_default();
            let coverage = if bound > 0.0 {
                r.legs.keyword / bound
            } else {
                0.0
            };
            match (self.semantic, self.keyword) {
                (Some(_), Some(_)) => cosine + coverage >= RELEVANT,
                (Some(_), None) => cosine >= RELEVANT_COSINE,
                _ => r.legs.keyword > 0.0,
            }
        })
    }
}
