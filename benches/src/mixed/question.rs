//! What is asked, and how answers are compared.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kenning::search::Vectors;
use kenning::{Mode, SearchHit, SearchRequest, Snapshot};

use super::history::{State, Version};
use crate::{Random, vector};

/// Cosines are kept to some 10⁻⁵.
const TOLERANCE: f32 = 1e-4;
const LIMIT: usize = 10;

/// A question that was asked.
pub struct Asked {
    /// How long the answer took.
    pub took: Duration,
    /// What is wrong with it.
    pub wrong: Option<String>,
    /// How many of the nearest a graph found, and of how many.
    pub nearest: Option<(u64, u64)>,
}

/// Asks something about what the view should hold.
pub fn ask(snapshot: &Snapshot, state: &State, random: &mut Random) -> kenning::Result<Asked> {
    let place = random.draw() as usize % state.len().max(1);
    let Some((id, version)) = state.iter().nth(place) else {
        let wrong = (snapshot.documents() > 0).then(|| "it should be empty".to_owned());
        let took = Duration::ZERO;
        return Ok(Asked {
            took,
            wrong,
            nearest: None,
        });
    };
    let any = vector(random.draw() % 1_000_000);
    let asking = Asking { snapshot, state };
    match random.draw() % 6 {
        0 => asking.nearest(&any, Vectors::Exact),
        1 => asking.nearest(&any, Vectors::Graph),
        2 => asking.word(
            &Version::word(version.number),
            &BTreeSet::from([id.as_str()]),
        ),
        3 => {
            let gone = random.draw() % (version.number + 1);
            let holders = state.iter().filter(|(_, other)| other.number == gone);
            let holders = holders.map(|(id, _)| id.as_str());
            asking.word(&Version::word(gone), &holders.collect())
        }
        4 => {
            let group = version.group();
            let same = state.iter().filter(|(_, other)| other.group() == group);
            asking.word(&group, &same.map(|(id, _)| id.as_str()).collect())
        }
        _ => asking.both(id, version),
    }
}

struct Asking<'a> {
    snapshot: &'a Snapshot,
    state: &'a State,
}

impl Asking<'_> {
    fn search(
        &self,
        request: &SearchRequest,
        vector: Option<&[f32]>,
    ) -> kenning::Result<(Vec<SearchHit>, Duration)> {
        let begun = Instant::now();
        let found = self.snapshot.search(request, vector)?;
        Ok((found.hits, begun.elapsed()))
    }

    /// The documents nearest to `query`.
    fn nearest(&self, query: &[f32], vectors: Vectors) -> kenning::Result<Asked> {
        let mut request = SearchRequest::new("").with_mode(Mode::Semantic);
        request.vectors = vectors;
        let (hits, took) = self.search(&request, Some(query))?;
        let cosine = |v: &Version| v.vector.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
        let mut cosines: Vec<f32> = self.state.values().map(|v| cosine(v)).collect();
        cosines.sort_unstable_by(|a, b| b.total_cmp(a));
        cosines.truncate(LIMIT);
        let right = |hit: &SearchHit| {
            let version = self.state.get(&hit.id);
            version.is_some_and(|v| (cosine(v) - hit.score).abs() < TOLERANCE)
        };
        let least = cosines.last().copied().unwrap_or_default() - TOLERANCE;
        let found = hits.iter().filter(|hit| hit.score >= least).count();
        let wrong = if hits.len() != cosines.len() {
            Some(format!("{} hits, expected {}", hits.len(), cosines.len()))
        } else if let Some(hit) = hits.iter().find(|hit| !right(hit)) {
            Some(format!("{} scores {}", hit.id, hit.score))
        } else if !is_ranking(&hits) {
            Some("hits are out of order".to_owned())
        } else if vectors == Vectors::Exact && found < cosines.len() {
            Some(format!("{found} of the nearest {}", cosines.len()))
        } else {
            None
        };
        let nearest = (vectors == Vectors::Graph).then_some((found as u64, cosines.len() as u64));
        let wrong = wrong.map(|wrong| format!("{vectors:?}: {wrong}"));
        Ok(Asked {
            took,
            wrong,
            nearest,
        })
    }

    /// The documents that hold a word: these and no others.
    fn word(&self, word: &str, expected: &BTreeSet<&str>) -> kenning::Result<Asked> {
        let request = SearchRequest::new(word).with_mode(Mode::Keyword);
        let request = request.with_limit(self.state.len() + LIMIT);
        let (hits, took) = self.search(&request, None)?;
        let found: BTreeSet<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
        let same = found == *expected && found.len() == hits.len() && is_ranking(&hits);
        let wrong = (!same).then(|| format!("{word}: {found:?}, expected {expected:?}"));
        Ok(Asked {
            took,
            wrong,
            nearest: None,
        })
    }

    /// By both legs: what holds the word and has the vector comes first.
    fn both(&self, id: &str, version: &Version) -> kenning::Result<Asked> {
        let request = SearchRequest::new(Version::word(version.number));
        let (hits, took) = self.search(&request, Some(&version.vector))?;
        let first = hits.first().is_some_and(|hit| hit.id == id);
        let known = hits.iter().all(|hit| self.state.contains_key(&hit.id));
        let right =
            first && known && is_ranking(&hits) && hits.len() == LIMIT.min(self.state.len());
        let ids = || hits.iter().map(|hit| &hit.id).collect::<Vec<_>>();
        let wrong = (!right).then(|| format!("{id} by both legs: {:?}", ids()));
        Ok(Asked {
            took,
            wrong,
            nearest: None,
        })
    }
}

/// Whether hits are in order: best first, equal ones by id, each once.
fn is_ranking(hits: &[SearchHit]) -> bool {
    hits.windows(2).all(|pair| {
        pair[0].score > pair[1].score || (pair[0].score == pair[1].score && pair[0].id < pair[1].id)
    })
}
