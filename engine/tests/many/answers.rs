//! The same question has the same answer, to the last bit: again, on any number of threads, after reopening, after merging,
//! for any limit, and from an index that was built again.

use std::ops::ControlFlow;

use kenning::index::{EmbeddedDocument, GraphOptions};
use kenning::search::Vectors;
use kenning::{Filter, Index, IndexWriter, Language, Mode, SearchRequest, Snapshot};

use super::common::{self, Random};

const DIMENSION: usize = 48;
const MODES: [Mode; 3] = [Mode::Semantic, Mode::Keyword, Mode::Hybrid];
const VECTORS: [Vectors; 3] = [Vectors::Exact, Vectors::Graph, Vectors::Auto];
/// Every segment gets a graph.
const GRAPHS: GraphOptions = GraphOptions { min_rows: 1 };

/// Ids and scores of an answer: what it was ranked by, cosine and BM25, bit for bit.
type Answer = Vec<(String, u32, Option<u32>, Option<u32>)>;

/// Some words, common and rare.
fn words(random: &mut Random, count: usize) -> String {
    let word = |_| {
        let most = 1 + random.below(3_000);
        format!("w{}", random.below(most))
    };
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

/// A document of some chunks; not all vectors, nor all texts, are different.
fn document(number: u64, version: u64) -> EmbeddedDocument {
    let mut random = Random(number * 1_000 + version);
    let chunks = 1 + random.below(3);
    let texts = (0..chunks).map(|_| words(&mut random, 6)).collect();
    let mut document = common::document(&format!("d{number:05}"), texts, 6, &[]);
    document.embeddings = (0..chunks)
        .map(|_| match random.below(20) {
            0 => Random(7).direction(DIMENSION),
            _ => random.direction(DIMENSION),
        })
        .collect();
    document.language = Some(Language::English);
    let tenth = (number % 10) as i64;
    document.metadata.insert("tenth".into(), tenth.into());
    document
}

fn spec() -> kenning::encoder::EncoderSpec {
    common::spec(DIMENSION, 256)
}

/// Documents of these numbers in one commit.
fn add(writer: &mut IndexWriter, numbers: std::ops::Range<u64>, version: u64) {
    for number in numbers {
        writer.add(document(number, version)).unwrap();
    }
    writer.commit().unwrap();
}

fn build_graphs(writer: &mut IndexWriter) {
    let mut on = |_| ControlFlow::Continue(());
    let report = writer.build_graphs(&GRAPHS, &mut on).unwrap();
    assert!(report.graphs.iter().all(|graph| graph.kept));
}

/// What is asked: words and a vector.
fn question(seed: u64) -> (String, Vec<f32>) {
    let mut random = Random(1_000_000 + seed);
    let query = match seed % 4 {
        0 => "w1*".to_owned(),
        1 => "nothing has these words".to_owned(),
        _ => words(&mut random, 3),
    };
    (query, random.direction(DIMENSION))
}

fn ask(
    snapshot: &Snapshot,
    seed: u64,
    mode: Mode,
    vectors: Vectors,
    limit: usize,
    filter: Option<&str>,
) -> Answer {
    // Little, so that walks miss something and a broader one finds more.
    let effort = (vectors == Vectors::Graph).then_some(10);
    ask_with(effort, snapshot, seed, mode, vectors, limit, filter)
}

fn ask_with(
    effort: Option<usize>,
    snapshot: &Snapshot,
    seed: u64,
    mode: Mode,
    vectors: Vectors,
    limit: usize,
    filter: Option<&str>,
) -> Answer {
    let (query, vector) = question(seed);
    let mut request = SearchRequest::new(query).with_mode(mode).with_limit(limit);
    (request.vectors, request.passages) = (vectors, 0);
    request.effort = effort;
    request.filter = filter.map(|filter| Filter::parse(filter).unwrap());
    let found = snapshot.search(&request, Some(&vector)).unwrap();
    let bits = |score: Option<f32>| score.map(f32::to_bits);
    let hits = found.hits.into_iter().map(|hit| {
        let score = hit.score.to_bits();
        (hit.id, score, bits(hit.semantic), bits(hit.keyword))
    });
    hits.collect()
}

/// The answers to some questions in all modes.
fn answers(snapshot: &Snapshot, vectors: &[Vectors]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for seed in 0..4 {
        for mode in MODES {
            for &vectors in vectors {
                for filter in [None, Some("tenth < 3")] {
                    answers.push(ask(snapshot, seed, mode, vectors, 40, filter));
                }
            }
        }
    }
    answers
}

/// Compares answers, and shows where the first two differ.
#[track_caller]
fn same(found: &[Answer], expected: &[Answer], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let differ = |(_, (a, b)): &(usize, (_, _))| a != b;
        let first = found.iter().zip(expected).enumerate().find(differ);
        assert_eq!(first, None, "answer {place}, {what}");
        assert_eq!(found.len(), expected.len(), "answer {place}, {what}");
    }
}

/// So many rows that scans and words are shared among threads.
#[test]
fn threads_runs_and_reopening_do_not_show() {
    let temp = tempfile::tempdir().unwrap();
    let index = Index::create(temp.path(), &spec()).unwrap();
    let mut writer = index.writer().unwrap();
    add(&mut writer, 0..1_500, 1);
    build_graphs(&mut writer);
    add(&mut writer, 1_500..11_500, 1);
    add(&mut writer, 4_000..4_200, 2);
    writer.close().unwrap();
    let snapshot = index.snapshot().unwrap();
    assert!(snapshot.chunks() > 21_000);
    let expected = answers(&snapshot, &VECTORS);
    assert!(expected.iter().filter(|answer| answer.len() == 40).count() > 40);
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let found = pool
            .build()
            .unwrap()
            .install(|| answers(&snapshot, &VECTORS));
        same(&found, &expected, &format!("{threads} threads"));
    }
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| answers(&snapshot, &VECTORS)))
            .collect();
        for other in others {
            same(&other.join().unwrap(), &expected, "beside others");
        }
    });
    drop((snapshot, index));
    let snapshot = Index::open(temp.path()).unwrap().snapshot().unwrap();
    same(&answers(&snapshot, &VECTORS), &expected, "opened anew");
}

/// A third of the documents is deleted or replaced; then they are gone for good.
#[test]
fn merging_does_not_show() {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    add(&mut writer, 0..1_500, 1);
    add(&mut writer, 1_500..3_000, 1);
    for number in (0..3_000).step_by(3) {
        match number % 2 {
            0 => writer.delete(&format!("d{number:05}")).unwrap(),
            _ => writer.add(document(number, 2)).unwrap(),
        }
    }
    writer.commit().unwrap();
    let before = index.snapshot().unwrap();
    assert!(before.summary().unwrap().deleted_rows > 500);
    let expected = answers(&before, &[Vectors::Exact]);
    writer.optimize().unwrap();
    let merged = index.snapshot().unwrap();
    assert_eq!(merged.summary().unwrap().deleted_rows, 0);
    same(&answers(&merged, &[Vectors::Exact]), &expected, "merged");
    same(
        &answers(&before, &[Vectors::Exact]),
        &expected,
        "still held",
    );
}

/// Limits around which more is nominated, or walked.
const LIMITS: [usize; 12] = [1, 9, 10, 11, 99, 100, 101, 300, 400, 401, 1_001, 10_000];

/// Segments with and without a graph.
fn segments() -> Index {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    add(&mut writer, 0..1_500, 1);
    add(&mut writer, 1_500..2_200, 1);
    add(&mut writer, 100..150, 2);
    build_graphs(&mut writer);
    add(&mut writer, 2_200..2_500, 1);
    writer.close().unwrap();
    index
}

#[test]
fn no_limit_changes_what_comes_first() {
    let index = segments();
    let snapshot = index.snapshot().unwrap();
    assert!(snapshot.summary().unwrap().graphs > 1);
    for seed in 0..3 {
        for mode in MODES {
            for vectors in VECTORS {
                for filter in [None, Some("tenth < 5")] {
                    let ask = |limit| ask(&snapshot, seed, mode, vectors, limit, filter);
                    let mut fewer = Answer::new();
                    for limit in LIMITS {
                        let more = ask(limit);
                        let what = format!("{seed} {mode:?} {vectors:?} {filter:?} {limit}");
                        assert!(more.len() <= limit, "{what}");
                        let first = more.get(..fewer.len()).unwrap();
                        same(&[first.to_vec()], &[fewer], &what);
                        fewer = more;
                    }
                    let all = match (filter, mode) {
                        (_, Mode::Keyword) => continue,
                        (None, _) => 2_500,
                        (Some(_), _) => 1_250,
                    };
                    let few = vectors == Vectors::Exact && fewer.len() < all;
                    assert!(!few && fewer.len() * 10 > all * 9, "{}", fewer.len());
                }
            }
        }
    }
}

/// Threads build a graph in no certain order: two of the same rows differ. Whatever a graph leads to has the score that
/// a scan gives it, and little is missed.
#[test]
fn an_index_built_again_ranks_the_same_up_to_what_a_graph_misses() {
    let indexes = [segments(), segments()];
    let [one, two] = indexes.each_ref().map(|index| index.snapshot().unwrap());
    let exact = answers(&one, &[Vectors::Exact]);
    same(&answers(&two, &[Vectors::Exact]), &exact, "built again");
    let (mut found, mut wanted) = (0, 0);
    for seed in 0..12 {
        let all = ask(&one, seed, Mode::Semantic, Vectors::Exact, 2_500, None);
        for snapshot in [&one, &two] {
            let few = ask_with(
                None,
                snapshot,
                seed,
                Mode::Semantic,
                Vectors::Graph,
                10,
                None,
            );
            // In the same order, with nothing that is not so.
            let mut rest = all.iter();
            assert!(few.iter().all(|hit| rest.any(|other| other == hit)));
            wanted += 10;
            found += few.iter().filter(|hit| all[..10].contains(hit)).count();
        }
    }
    assert!(found * 100 >= wanted * 95, "{found} of {wanted}");
}
