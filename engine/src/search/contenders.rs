//! Which candidates of both legs can be among the first, so that exact cosines are computed of those alone.
//!
//! Each leg nominates a thousand documents, so that no limit changes the order of the first; but what most of them score
//! matters to nobody. A rough cosine has a bound to its error. So the cosines that fusion takes its scale from are made
//! exact, then those that could reach the last place that is shown: the order is that of exact scores everywhere.

use crate::Result;
use crate::index::snapshot::DocumentAddress;
use crate::vector::scan;

use super::fusion::{self, Legs};
use super::rank::Ranking;
use super::semantic::SemanticScores;

/// A document that a leg nominates.
struct Candidate {
    address: DocumentAddress,
    /// The cosine, or, until it is exact, the highest that it may be.
    legs: Legs,
    /// How far above the cosine that may be, at most.
    error: f32,
    exact: bool,
    /// Whether the keyword leg nominates it.
    keyword: bool,
}

impl Ranking<'_> {
    /// Of what the legs nominate, `depth` documents each, all that can be among the first `count`, with exact scores, those among them that fusion takes its scale
    /// from. `None` where the exact scores of all are wanted.
    pub fn contenders(
        &self,
        depth: usize,
        count: usize,
    ) -> Result<Option<Vec<(DocumentAddress, Legs)>>> {
        let (Some(leg), Some(_)) = (self.semantic, self.keyword) else {
            return Ok(None);
        };
        if count > fusion::DEPTH || !self.fusion.is_sum_of_scores() {
            return Ok(None);
        }
        let (mut candidates, sure) = self.nominees(leg, depth)?;
        self.settle_the_first(leg, &mut candidates);
        let scores = self.scores(&candidates);
        let settled = candidates.iter().zip(&scores).filter(|(c, _)| c.exact);
        let least = scan::nth(settled.map(|(_, score)| *score).collect(), count);
        for (candidate, _) in candidates
            .iter_mut()
            .zip(scores)
            .filter(|(_, s)| *s >= least)
        {
            self.settle(leg, candidate);
            // It is among the first, and perhaps not among those that its leg nominates.
            if !candidate.keyword && candidate.legs.semantic.is_none_or(|cosine| cosine <= sure) {
                return Ok(None);
            }
        }
        let exact = candidates.into_iter().filter(|candidate| candidate.exact);
        Ok(Some(exact.map(|c| (c.address, c.legs)).collect()))
    }

    /// What the legs nominate, the semantic one more than it is asked for; and the cosine above which it is sure to
    /// nominate.
    fn nominees(&self, leg: &SemanticScores, depth: usize) -> Result<(Vec<Candidate>, f32)> {
        let mut found = leg.nominated(self.snapshot, depth);
        let sure = match found.len() > depth {
            true => {
                let scores = found.iter().map(|scored| scored.score).collect();
                scan::nth(scores, depth) + leg.greatest_error(self.snapshot)
            }
            false => f32::NEG_INFINITY,
        };
        let mut by_keyword = self.cut(self.found_by_keyword(), depth)?;
        by_keyword.sort_unstable_by_key(|scored| scored.address);
        let keyword = |address: DocumentAddress| {
            let place = by_keyword.binary_search_by_key(&address, |scored| scored.address);
            place.is_ok()
        };
        found.retain(|scored| !keyword(scored.address));
        let candidate = |address: DocumentAddress, keyword| {
            let segment = &self.snapshot.segments()[address.segment as usize];
            let error = leg.error_bound(segment);
            let highest = leg.rough(segment, address).map(|rough| rough + error);
            Candidate {
                address,
                legs: self.legs(address, highest),
                error: 2.0 * error,
                exact: false,
                keyword,
            }
        };
        let by_keyword = by_keyword.iter().map(|s| candidate(s.address, true));
        let by_vector = found.iter().map(|s| candidate(s.address, false));
        Ok((by_keyword.chain(by_vector).collect(), sure))
    }

    /// Makes exact what can be among the first of either leg.
    fn settle_the_first(&self, leg: &SemanticScores, candidates: &mut [Candidate]) {
        let lowest = |c: &Candidate| c.legs.semantic.map(|highest| highest - c.error);
        let cosine = scan::nth(
            candidates.iter().filter_map(lowest).collect(),
            fusion::DEPTH,
        );
        let keyword = scan::nth(
            candidates.iter().map(|c| c.legs.keyword).collect(),
            fusion::DEPTH,
        );
        for candidate in candidates {
            let legs = candidate.legs;
            let found = legs.keyword > 0.0 && legs.keyword >= keyword;
            if found || legs.semantic.is_some_and(|highest| highest >= cosine) {
                self.settle(leg, candidate);
            }
        }
    }

    fn settle(&self, leg: &SemanticScores, candidate: &mut Candidate) {
        if !candidate.exact {
            let segment = &self.snapshot.segments()[candidate.address.segment as usize];
            candidate.legs.semantic = leg.document(segment, candidate.address);
            candidate.exact = true;
        }
    }

    /// What each scores, or at most scores.
    fn scores(&self, candidates: &[Candidate]) -> Vec<f32> {
        let legs: Vec<Legs> = candidates.iter().map(|candidate| candidate.legs).collect();
        self.shares(&legs).iter().map(fusion::total).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::ops::ControlFlow;

    use super::super::eligible::Eligible;
    use super::super::request::Vectors;
    use super::super::semantic::Breadth;
    use super::*;
    use crate::index::traps::common::{self, Random};
    use crate::index::{EmbeddedDocument, GraphOptions, Index};
    use crate::keyword::bm25::{KeywordScores, query_terms};
    use crate::keyword::{postings, query};
    use crate::search::Fusion;

    const DEPTH: usize = 1_000;
    const DIMENSION: usize = 32;

    fn vector(random: &mut Random) -> Vec<f32> {
        let numbers = (0..DIMENSION).map(|_| random.below(2_001) as f32 / 1_000.0 - 0.7);
        let numbers: Vec<f32> = numbers.collect();
        let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
        numbers.iter().map(|x| x / length).collect()
    }

    fn document(id: usize, random: &mut Random) -> EmbeddedDocument {
        // Some words are frequent.
        let mut word = || format!("w{}", random.next() % (1 + random.next() % 60));
        let text = |_| (0..12).map(|_| word() + " ").collect();
        let texts: Vec<String> = (0..1 + id % 3).map(text).collect();
        let rows = texts.len();
        EmbeddedDocument {
            embeddings: (0..rows).map(|_| vector(random)).collect(),
            ..common::document(&format!("d{id:05}"), texts, 12, &[])
        }
    }

    /// Two segments, one of them with a graph.
    fn index(random: &mut Random) -> Index {
        let index = Index::in_memory(&common::spec(DIMENSION, 64)).unwrap();
        let mut writer = index.writer().unwrap();
        for id in 0..3_000 {
            writer.add(document(id, random)).unwrap();
        }
        writer.optimize().unwrap();
        let mut on = |_| ControlFlow::Continue(());
        writer
            .build_graphs(&GraphOptions { min_rows: 1 }, &mut on)
            .unwrap();
        for id in 3_000..5_500 {
            writer.add(document(id, random)).unwrap();
        }
        writer.commit().unwrap();
        writer.close().unwrap();
        index
    }

    /// The first `count`, with or without leaving out those that cannot be among them.
    fn first(ranking: &Ranking<'_>, count: usize, all: bool) -> Vec<(DocumentAddress, f32)> {
        let candidates = match all {
            true => ranking.candidates(DEPTH, 0).unwrap(),
            false => ranking.contenders(DEPTH, count).unwrap().unwrap(),
        };
        let (addresses, legs): (Vec<_>, Vec<_>) = candidates.into_iter().unzip();
        let scores = ranking.shares(&legs);
        let scores = scores.iter().map(fusion::total);
        let mut found: Vec<(DocumentAddress, f32)> = addresses.into_iter().zip(scores).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(count);
        found
    }

    #[test]
    fn the_first_are_those_of_exact_scores_everywhere() {
        let mut random = Random(7);
        let index = index(&mut random);
        let snapshot = index.snapshot().unwrap();
        let mut left_out = 0;
        for question in 0..30 {
            let parsed = query::parse(&format!("w{} w{} w1 w0", question % 7, question));
            let languages = postings::languages(&snapshot).unwrap();
            let eligible = Eligible::evaluate(&snapshot, &[], &parsed.constraints, &languages);
            let eligible = eligible.unwrap();
            let vectors = [Vectors::Exact, Vectors::Graph][question % 2];
            let breadth = Breadth {
                vectors,
                effort: 100,
                count: 10,
            };
            let semantic =
                SemanticScores::compute(&snapshot, &vector(&mut random), &eligible, breadth);
            let terms = query_terms(&parsed, &languages);
            let keyword = KeywordScores::compute(&snapshot, terms).unwrap();
            for fusion in [Fusion::default(), Fusion::Convex { semantic: 0.7 }] {
                let ranking = Ranking {
                    snapshot: &snapshot,
                    eligible: &eligible,
                    semantic: Some(&semantic),
                    keyword: Some(&keyword),
                    fusion,
                };
                for count in [1, 10, 100] {
                    let (found, expected) =
                        (first(&ranking, count, false), first(&ranking, count, true));
                    assert_eq!(found, expected, "question {question}, {count}");
                }
                let contenders = ranking.contenders(DEPTH, 10).unwrap().unwrap().len();
                left_out += ranking.candidates(DEPTH, 0).unwrap().len() - contenders;
            }
        }
        assert!(left_out > 30_000, "{left_out} cosines were spared");
    }
}
