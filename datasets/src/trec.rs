//! Runs: what an engine found for each query, in the text format of TREC.
//!
//! A line is `query Q0 document rank score tag`. Evaluators disagree about ties and about which column
//! counts: `trec_eval` ignores the rank, sorts by score as a 32-bit float, and puts the greater document
//! id first among equals. So runs are written with scores that strictly decrease as 32-bit floats: a
//! score that does not is replaced by the next smaller number. Whoever reads the file sees one order.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use crate::error::DatasetError;
use crate::qrels::Judgements;

/// A document that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// The document's id.
    pub document: String,
    /// Its score.
    pub score: f64,
}

/// What an engine found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// The name of the engine or of its settings.
    pub name: String,
    /// Query id → the documents found, best first. This order counts, not the scores.
    pub rankings: BTreeMap<String, Vec<Ranked>>,
}

/// Writes a run.
///
/// # Errors
///
/// [`DatasetError::Id`] if an id or the run's name holds blanks or is empty, [`DatasetError::Score`] if a
/// score is not finite; then nothing is written. [`DatasetError::Io`] if the file cannot be written.
pub fn write_run(run: &Run, path: &Path) -> Result<(), DatasetError> {
    let mut text = String::new();
    let name = plain(&run.name)?;
    for (query, ranking) in &run.rankings {
        let mut bound = f32::INFINITY;
        for (rank, ranked) in ranking.iter().enumerate() {
            let score = ranked.score as f32;
            if !score.is_finite() {
                return Err(DatasetError::Score {
                    query: query.clone(),
                    document: ranked.document.clone(),
                    score: ranked.score,
                });
            }
            let score = score.min(bound.next_down());
            bound = score;
            let (query, document) = (plain(query)?, plain(&ranked.document)?);
            text += &format!("{query} Q0 {document} {} {score} {name}\n", rank + 1);
        }
    }
    write(path, &text)
}

/// Writes judgements in TREC's four columns, so that an evaluator can check a run against them.
///
/// # Errors
///
/// As [`write_run`].
pub fn write_judgements(judgements: &Judgements, path: &Path) -> Result<(), DatasetError> {
    let mut text = String::new();
    for (query, grades) in judgements {
        for (document, grade) in grades {
            let (query, document) = (plain(query)?, plain(document)?);
            text += &format!("{query} 0 {document} {grade}\n");
        }
    }
    write(path, &text)
}

/// Reads a run, each query's documents in the order that `trec_eval` sees: by score as a 32-bit float,
/// and among equals the greater id first. The run bears the tag of the first line.
///
/// # Errors
///
/// [`DatasetError::Line`] if a line does not have six columns, a score is not a finite number, or a
/// document occurs twice for a query.
pub fn read_run(path: &Path) -> Result<Run, DatasetError> {
    let mut run = Run::default();
    let mut seen = HashSet::new();
    for line in lines(path)? {
        let (number, line) = line?;
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [query, _, document, _, score, tag] = columns[..] else {
            if columns.is_empty() {
                continue;
            }
            let expected = "query, Q0, document, rank, score and tag";
            return Err(DatasetError::line(path, number, expected, &line));
        };
        let parsed = score.parse().ok().filter(|score: &f64| score.is_finite());
        let score = parsed
            .ok_or_else(|| DatasetError::line(path, number, "a finite number as score", score))?;
        if !seen.insert((query.to_owned(), document.to_owned())) {
            let expected = "each document once for a query";
            return Err(DatasetError::line(path, number, expected, document));
        }
        if run.name.is_empty() {
            run.name = tag.to_owned();
        }
        run.rankings
            .entry(query.to_owned())
            .or_default()
            .push(Ranked {
                document: document.to_owned(),
                score,
            });
    }
    for ranking in run.rankings.values_mut() {
        ranking.sort_by(|a, b| {
            let by_score = (b.score as f32).total_cmp(&(a.score as f32));
            by_score.then_with(|| b.document.cmp(&a.document))
        });
    }
    Ok(run)
}

/// An id that can stand in a column.
fn plain(id: &str) -> Result<&str, DatasetError> {
    if id.is_empty() || id.contains(char::is_whitespace) {
        return Err(DatasetError::Id { id: id.to_owned() });
    }
    Ok(id)
}

fn write(path: &Path, text: &str) -> Result<(), DatasetError> {
    let failed = |source| DatasetError::io("write", path, source);
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.flush().map_err(failed)
}

/// The lines of a file with their numbers, counted from 1.
pub(crate) fn lines(
    path: &Path,
) -> Result<impl Iterator<Item = Result<(usize, String), DatasetError>>, DatasetError> {
    let failed = |source| DatasetError::io("read", path, source);
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let lines = file.lines().enumerate();
    Ok(lines.map(move |(number, line)| Ok((number + 1, line.map_err(failed)?))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn run(rankings: &[(&str, &[(&str, f64)])]) -> Run {
        let ranked = |(document, score): &(&str, f64)| Ranked {
            document: (*document).to_owned(),
            score: *score,
        };
        Run {
            name: "test".to_owned(),
            rankings: rankings
                .iter()
                .map(|(query, documents)| {
                    ((*query).to_owned(), documents.iter().map(ranked).collect())
                })
                .collect(),
        }
    }

    fn order(run: &Run, query: &str) -> Vec<String> {
        let ranking = &run.rankings[query];
        ranking
            .iter()
            .map(|ranked| ranked.document.clone())
            .collect()
    }

    #[test]
    fn a_written_run_is_read_in_its_own_order_whatever_the_scores() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.trec");
        // Tied, rising, too close for 32 bits, negative: the order of the list counts.
        let scores = [
            ("a", 30.0),
            ("c", 30.0),
            ("b", 30.0),
            ("z", 31.0),
            ("d", 30.0 - 1e-9),
            ("e", 0.0),
            ("g", 0.0),
            ("f", -2.5),
            ("h", -2.5),
        ];
        let written = run(&[("q1", &scores), ("q2", &[("a", 1.0)])]);
        write_run(&written, &path).unwrap();
        let read = read_run(&path).unwrap();
        assert_eq!(order(&read, "q1"), order(&written, "q1"));
        assert_eq!(read.name, "test");
        let scores: Vec<f32> = read.rankings["q1"]
            .iter()
            .map(|ranked| ranked.score as f32)
            .collect();
        assert!(
            scores.windows(2).all(|pair| pair[0] > pair[1]),
            "{scores:?}"
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("q1 Q0 a 1 30 test\nq1 Q0 c 2 29.999998 test\n"),
            "{text}"
        );
    }

    #[test]
    fn ties_in_a_file_are_broken_as_trec_eval_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.trec");
        std::fs::write(&path, "q Q0 a 1 0.5 t\nq Q0 c 2 0.5 t\n\nq Q0 b 3 0.75 t\n").unwrap();
        assert_eq!(order(&read_run(&path).unwrap(), "q"), ["b", "c", "a"]);
    }

    #[test]
    fn what_a_trec_file_cannot_hold_is_refused_and_nothing_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.trec");
        for (document, score) in [
            ("two words", 1.0),
            ("", 1.0),
            ("a", f64::NAN),
            ("a", f64::INFINITY),
        ] {
            assert!(write_run(&run(&[("q", &[(document, score)])]), &path).is_err());
        }
        let judgements = Judgements::from([("q".into(), [("a b".into(), 1)].into())]);
        let error = write_judgements(&judgements, &path).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot write the id \"a b\" to a TREC file: expected an id without blanks"
        );
        assert!(error.hint().is_some() && !path.exists());
    }

    #[test]
    fn a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.trec");
        for bad in [
            "q Q0 a 1 0.5",
            "q Q0 b 1 high t",
            "q Q0 a 2 0.1 t",
            "q Q0 b 1 NaN t",
        ] {
            std::fs::write(&path, format!("q Q0 a 1 0.5 t\n{bad}\n")).unwrap();
            let error = read_run(&path).unwrap_err().to_string();
            assert!(error.contains("a.trec:2: expected"), "{error}");
        }
    }
}
