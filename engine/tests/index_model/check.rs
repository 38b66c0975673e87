//! Compares what an index answers with what the model says.

use std::collections::BTreeMap;

use kenning::index::EmbeddedDocument;
use kenning::search::Vectors;
use kenning::{Filter, Mode, SearchHit, SearchRequest, Snapshot, Value};

use super::model::{Model, Random};

/// Cosines are kept to some 10⁻⁵; a BM25 of a few units is summed in f32.
const TOLERANCE: f64 = 1e-4;

type Holds = fn(&EmbeddedDocument) -> bool;

fn number(document: &EmbeddedDocument, name: &str) -> Option<f64> {
    match document.metadata.get(name) {
        Some(Value::Integer(number)) => Some(*number as f64),
        Some(Value::Float(number)) => Some(*number),
        _ => None,
    }
}

fn text<'a>(document: &'a EmbeddedDocument, name: &str) -> &'a str {
    match document.metadata.get(name) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn tagged(document: &EmbeddedDocument, tag: &str) -> bool {
    let tag = Value::Text(tag.to_owned());
    matches!(document.metadata.get("tags"), Some(Value::List(tags)) if tags.contains(&tag))
}

/// Filters as they are typed, and what they mean.
const FILTERS: [(&str, Holds); 12] = [
    ("year>=2022", |d| number(d, "year") >= Some(2022.0)),
    ("year=2021 or year=2023", |d| {
        [Some(2021.0), Some(2023.0)].contains(&number(d, "year"))
    }),
    ("score<6.5", |d| number(d, "score").is_some_and(|n| n < 6.5)),
    ("not score<6.5", |d| {
        !number(d, "score").is_some_and(|n| n < 6.5)
    }),
    ("draft=true", |d| {
        d.metadata.get("draft") == Some(&Value::Bool(true))
    }),
    ("tags=tag1", |d| tagged(d, "tag1")),
    ("tags:tag* not tags=tag2", |d| {
        (0..4).any(|n| tagged(d, &format!("tag{n}"))) && !tagged(d, "tag2")
    }),
    ("mixed.kind=1", |d| {
        number(d, "mixed.kind") == Some(1.0) || text(d, "mixed.kind") == "1"
    }),
    ("modified>=2026-01-15", |d| {
        text(d, "modified") >= "2026-01-15"
    }),
    ("path:*.md", |d| d.id.ends_with(".md")),
    ("path:a/**", |d| d.id.starts_with("a/")),
    ("ext=txt and (path:b/* or year<2022)", |d| {
        d.id.ends_with(".txt") && (d.id.starts_with("b/") || number(d, "year") < Some(2022.0))
    }),
];

fn ask(snapshot: &Snapshot, request: &SearchRequest, vector: &[f32]) -> Vec<SearchHit> {
    let found = snapshot.search(request, Some(vector)).unwrap();
    found.hits
}

fn request(query: &str, mode: Mode, limit: usize) -> SearchRequest {
    let mut request = SearchRequest::new(query).with_mode(mode).with_limit(limit);
    request.vectors = Vectors::Exact;
    request.passages = 0;
    request
}

/// Hits are the best of `expected`, best first, equal ones by id.
fn same_ranking(hits: &[SearchHit], expected: &BTreeMap<String, f64>, limit: usize, what: &str) {
    assert_eq!(hits.len(), expected.len().min(limit), "{what}");
    for (place, hit) in hits.iter().enumerate() {
        let score = *expected
            .get(&hit.id)
            .unwrap_or_else(|| panic!("{what}: {} is not to be found", hit.id));
        assert!(
            (f64::from(hit.score) - score).abs() < TOLERANCE,
            "{what}: {} scores {}, expected {score}",
            hit.id,
            hit.score
        );
        assert_eq!(hit.rank, place + 1, "{what}");
    }
    for pair in hits.windows(2) {
        let ordered = pair[0].score > pair[1].score
            || (pair[0].score == pair[1].score && pair[0].id < pair[1].id);
        assert!(ordered, "{what}: {} before {}", pair[0].id, pair[1].id);
    }
    if let Some(last) = hits.last() {
        let found = |id: &String| hits.iter().any(|hit| &hit.id == id);
        for (id, score) in expected.iter().filter(|(id, _)| !found(id)) {
            let lower = *score < f64::from(last.score) + TOLERANCE;
            assert!(lower, "{what}: {id} with {score} is missing");
        }
    }
}

/// Counts, ids, and everything stored are those of the model.
pub fn same_content(snapshot: &Snapshot, model: &Model) {
    assert_eq!(snapshot.documents(), model.documents.len() as u64);
    let chunks: usize = model.documents.values().map(|d| d.chunks.len()).sum();
    assert_eq!(snapshot.chunks(), chunks as u64);
    let mut seen = BTreeMap::new();
    snapshot
        .for_each_document(|id, stored| {
            let expected = &model.documents[&id];
            assert_eq!(stored.title, expected.title);
            assert_eq!(stored.metadata, expected.metadata);
            assert_eq!(stored.chunks as usize, expected.chunks.len());
            assert_eq!(stored.tokens, expected.tokens);
            assert_eq!(stored.state, expected.state);
            assert_eq!(seen.insert(id.clone(), ()), None, "{id} is there twice");
            Ok(())
        })
        .unwrap();
    assert_eq!(seen.len(), model.documents.len());
}

/// Every passage and its vector is that of the model.
fn same_passages(snapshot: &Snapshot, model: &Model, vector: &[f32]) {
    let mut all = request("w1", Mode::Semantic, 1_000);
    all.passages = 1_000;
    for hit in ask(snapshot, &all, vector) {
        let document = &model.documents[&hit.id];
        assert_eq!(hit.metadata, document.metadata);
        let mut found: Vec<(String, f32)> = hit
            .passages
            .into_iter()
            .map(|p| (p.text, p.semantic.unwrap()))
            .collect();
        let texts = document.chunks.iter().map(|c| c.text.clone());
        let cosines = document.embeddings.iter().map(|v| -> f32 {
            let products = v.iter().zip(vector).map(|(a, b)| a * b);
            products.sum()
        });
        let mut expected: Vec<(String, f32)> = texts.zip(cosines).collect();
        let order = |a: &(String, f32), b: &(String, f32)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
        found.sort_by(order);
        expected.sort_by(order);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.0, expected.0);
            assert!(
                (found.1 - expected.1).abs() < 1e-4,
                "{found:?} {expected:?}"
            );
        }
    }
}

/// What is asked of an index, so that answers before and after a merge can be compared.
pub struct Questions {
    query: String,
    vector: Vec<f32>,
    phrase: String,
    excluded: String,
}

impl Questions {
    pub fn new(random: &mut Random) -> Self {
        Questions {
            query: random.text(5),
            vector: random.vector(),
            phrase: format!("{} {}", random.word(), random.word()),
            excluded: format!("w{}", random.below(10)),
        }
    }

    /// Ids and scores of one answer in each mode, bit for bit.
    pub fn answers(&self, snapshot: &Snapshot) -> Vec<Vec<(String, u32)>> {
        let modes = [Mode::Semantic, Mode::Keyword, Mode::Hybrid];
        let answer = |mode| -> Vec<(String, u32)> {
            let hits = ask(snapshot, &request(&self.query, mode, 50), &self.vector);
            hits.into_iter()
                .map(|hit| (hit.id, hit.score.to_bits()))
                .collect()
        };
        modes.into_iter().map(answer).collect()
    }

    /// Compares every kind of answer with the model's.
    pub fn check(&self, snapshot: &Snapshot, model: &Model) {
        same_content(snapshot, model);
        same_passages(snapshot, model, &self.vector);
        for limit in [10, 500] {
            for (mode, expected) in [
                (Mode::Semantic, model.cosines(&self.vector)),
                (Mode::Keyword, model.bm25(&self.query)),
                (Mode::Hybrid, model.fused(&self.query, &self.vector)),
            ] {
                let hits = ask(snapshot, &request(&self.query, mode, limit), &self.vector);
                let what = format!("{mode:?} {:?}", self.query);
                same_ranking(&hits, &expected, limit, &what);
            }
        }
        self.check_pages(snapshot);
        self.check_constraints(snapshot, model);
        self.check_filters(snapshot, model);
    }

    /// Limits and pages cut one and the same ranking.
    fn check_pages(&self, snapshot: &Snapshot) {
        let ids = |limit, offset| -> Vec<String> {
            let mut request = request(&self.query, Mode::Hybrid, limit);
            request.offset = offset;
            let hits = ask(snapshot, &request, &self.vector);
            hits.into_iter().map(|hit| hit.id).collect()
        };
        let all = ids(500, 0);
        for limit in [1, 10, 50] {
            assert_eq!(ids(limit, 0), all[..limit.min(all.len())]);
        }
        for offset in [3, 10, 40] {
            let page = all.iter().skip(offset).take(10);
            assert_eq!(ids(10, offset), page.cloned().collect::<Vec<_>>());
        }
    }

    /// A phrase must stand there, an excluded word must not; a word of the title must stand in it.
    fn check_constraints(&self, snapshot: &Snapshot, model: &Model) {
        let (phrase, excluded) = (&self.phrase, &self.excluded);
        let typed = format!("\"{phrase}\" {} -{excluded}", self.query);
        let mut expected = model.bm25(&format!("{phrase} {}", self.query));
        expected
            .retain(|id, _| model.holds(id, phrase, false) && !model.holds(id, excluded, false));
        let hits = ask(snapshot, &request(&typed, Mode::Keyword, 500), &self.vector);
        same_ranking(&hits, &expected, 500, &typed);

        let typed = format!("title:{excluded} {} -\"{phrase}\"", self.query);
        let mut expected = model.cosines(&self.vector);
        expected.retain(|id, _| model.holds(id, excluded, true) && !model.holds(id, phrase, false));
        let hits = ask(
            snapshot,
            &request(&typed, Mode::Semantic, 500),
            &self.vector,
        );
        same_ranking(&hits, &expected, 500, &typed);
    }

    fn check_filters(&self, snapshot: &Snapshot, model: &Model) {
        if model.documents.len() < 30 {
            // A fact that no document has is an error; with so many every fact is there.
            return;
        }
        let (cosines, bm25) = (model.cosines(&self.vector), model.bm25(&self.query));
        for (filter, holds) in FILTERS {
            for (mode, expected) in [(Mode::Semantic, &cosines), (Mode::Keyword, &bm25)] {
                let mut expected = expected.clone();
                expected.retain(|id, _| holds(&model.documents[id]));
                let request = request(&self.query, mode, 500);
                let filtered = request.with_filter(Filter::parse(filter).unwrap());
                let hits = ask(snapshot, &filtered, &self.vector);
                same_ranking(&hits, &expected, 500, filter);
            }
        }
    }
}
