//! Candidates of both legs, scored by both, in one order.

use std::collections::HashSet;

use crate::Result;
use crate::index::snapshot::{DocumentAddress, Snapshot};
use crate::keyword::bm25::KeywordScores;

use super::best::Scored;
use super::eligible::Eligible;
use super::fusion::{self, Fusion, Legs, Share};
use super::semantic::{BROADER, SemanticScores};

/// Where two legs are fused, each nominates so many documents, of which the first so many are shown: by a graph, as many
/// as it is asked for. Where more are wanted, [`BROADER`] times as many are nominated, and those that were not
/// shown come after: so the first are the same for any limit. A single leg nominates what is asked for: it is in order already.
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
    /// The best `count` documents, best first; equal scores by id. The first ones are the same for any `count`.
    pub fn ranked(&self, count: usize) -> Result<Vec<Ranked>> {
        let (Some(semantic), Some(_)) = (self.semantic, self.keyword) else {
            return self.nominated(count, count, usize::MAX);
        };
        let mut reach = semantic.reach().unwrap_or(DEPTH);
        let mut ranked = self.nominated(DEPTH.max(reach), reach.min(count), 0)?;
        let mut broader = 0;
        while count > reach && ranked.len() == reach {
            broader += 1;
            reach = reach.saturating_mul(BROADER);
            let shown: HashSet<_> = ranked.iter().map(|ranked| ranked.address).collect();
            let room = reach.min(count) - ranked.len();
            let more = self.nominated(DEPTH.max(reach), reach, broader)?;
            let more = more.into_iter().filter(|r| !shown.contains(&r.address));
            ranked.extend(more.take(room));
        }
        Ok(ranked)
    }

    /// The best `count` of what the legs nominate: `depth` documents each, the semantic one by so many broader walks.
    fn nominated(&self, depth: usize, count: usize, broader: usize) -> Result<Vec<Ranked>> {
        let contenders = match broader {
            0 => self.contenders(depth, count)?,
            _ => None,
        };
        let candidates = match contenders {
            Some(contenders) => contenders,
            None => self.candidates(depth, broader)?,
        };
        let (addresses, legs): (Vec<_>, Vec<_>) = candidates.into_iter().unzip();
        let shares = self.shares(&legs);
        let mut ranked: Vec<Ranked> = addresses
            .into_iter()
            .zip(legs)
            .zip(shares)
            .map(|((address, legs), shares)| Ranked {
                address,
                legs,
                shares,
                score: fusion::total(&shares),
            })
            .collect();
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.order_equals(&mut ranked, count)?;
        Ok(ranked)
    }

    /// Documents that either leg nominates, with both scores, whichever did.
    pub(super) fn candidates(
        &self,
        depth: usize,
        broader: usize,
    ) -> Result<Vec<(DocumentAddress, Legs)>> {
        let mut semantic = match self.semantic {
            Some(leg) => self.cut(leg.best(self.snapshot, depth, broader), depth)?,
            None => Vec::new(),
        };
        semantic.sort_unstable_by_key(|scored| scored.address);
        let known = |address: &DocumentAddress| {
            semantic.binary_search_by_key(address, |scored| scored.address)
        };
        let mut found: Vec<_> = semantic
            .iter()
            // Its cosine is known: computing it again would cost as much as finding it did.
            .map(|scored| {
                (
                    scored.address,
                    self.legs(scored.address, Some(scored.score)),
                )
            })
            .collect();
        for Scored { address, .. } in self.cut(self.found_by_keyword(), depth)? {
            if known(&address).is_err() {
                let cosine = self.semantic.and_then(|leg| {
                    let segment = &self.snapshot.segments()[address.segment as usize];
                    leg.document(segment, address)
                });
                found.push((address, self.legs(address, cosine)));
            }
        }
        Ok(found)
    }

    /// The best `depth` documents, in no order. Where the cut falls among equal ones it is by id: where
    /// rows lie must not decide which are found.
    pub(super) fn cut(&self, mut found: Vec<Scored>, depth: usize) -> Result<Vec<Scored>> {
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
        let room = depth - found.len();
        found.extend(self.first_by_id(equal, room, |scored| scored.address)?);
        Ok(found)
    }

    /// The first `room` of `equal` by the ids of their documents, in order. Reading the ids of all would
    /// take long where many are equal, so the first of each segment are found by their ids' order alone.
    fn first_by_id<T: Copy>(
        &self,
        mut equal: Vec<T>,
        room: usize,
        address: impl Fn(&T) -> DocumentAddress,
    ) -> Result<Vec<T>> {
        let segment = |item: &T| address(item).segment;
        equal.sort_unstable_by_key(segment);
        let mut firsts: Vec<Vec<T>> = Vec::new();
        for same in equal.chunk_by(|a, b| segment(a) == segment(b)) {
            let mut ordered = same.to_vec();
            ordered.sort_unstable_by_key(|item| self.snapshot.id_order(address(item)));
            ordered.truncate(room);
            firsts.push(ordered);
        }
        if let [first] = &mut firsts[..] {
            return Ok(std::mem::take(first));
        }
        let mut named: Vec<(String, T)> = Vec::new();
        for item in firsts.into_iter().flatten() {
            named.push((self.snapshot.id(address(&item))?, item));
        }
        named.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(named.into_iter().take(room).map(|(_, item)| item).collect())
    }

    pub(super) fn found_by_keyword(&self) -> Vec<Scored> {
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

    pub(super) fn legs(&self, address: DocumentAddress, semantic: Option<f32>) -> Legs {
        let place = address.segment as usize;
        Legs {
            semantic,
            keyword: self
                .keyword
                .map_or(0.0, |leg| leg.documents(place)[address.document as usize]),
        }
    }

    /// A single leg is shown as it is: a cosine or a BM25.
    pub(super) fn shares(&self, legs: &[Legs]) -> Vec<[Share; 2]> {
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

    /// Cuts `ranked` to `count` documents, those of equal score in the order of their ids: where rows lie
    /// must not show.
    fn order_equals(&self, ranked: &mut Vec<Ranked>, count: usize) -> Result<()> {
        let mut ordered: Vec<Ranked> = Vec::with_capacity(count.min(ranked.len()));
        for equal in ranked.chunk_by(|a, b| a.score == b.score) {
            let room = count - ordered.len();
            match equal {
                _ if room == 0 => break,
                [alone] => ordered.push(*alone),
                _ => ordered.extend(self.first_by_id(equal.to_vec(), room, |r| r.address)?),
            }
        }
        *ranked = ordered;
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
