//! Collections in the layout of the BEIR benchmark (Thakur et al. 2021): `corpus.jsonl`,
//! `queries.jsonl` and `qrels/<split>.tsv`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use kenning::{Document, Metadata, Value};
use serde::Deserialize;

use crate::error::DatasetError;
use crate::qrels::{self, Judgements};
use crate::trec::lines;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Unique in its collection.
    pub id: String,
    /// The question itself.
    pub text: String,
}

/// Something odd about a collection that does not keep it from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A document's id occurs again; the first document is kept.
    DocumentTwice {
        /// The id.
        document: String,
        /// The line of `corpus.jsonl`, counted from 1.
        line: usize,
    },
    /// A query's id occurs again; the first query is kept.
    QueryTwice {
        /// The id.
        query: String,
        /// The line of `queries.jsonl`, counted from 1.
        line: usize,
    },
    /// A document is judged again for the same query; the last judgement is kept.
    JudgedTwice {
        /// The query's id.
        query: String,
        /// The document's id.
        document: String,
        /// The line of the judgements, counted from 1.
        line: usize,
    },
    /// A query is judged that `queries.jsonl` lacks. Its judgements are left out.
    UnknownQuery {
        /// The query's id.
        query: String,
    },
    /// A document is judged that the collection lacks. The judgement is kept: if relevant, it cannot be
    /// found and lowers the scores, in every evaluator.
    UnknownDocument {
        /// The query's id.
        query: String,
        /// The document's id.
        document: String,
    },
    /// A fact about a document is neither a text, a number, a truth value nor a list of these. It is
    /// left out.
    Metadata {
        /// The document's id.
        document: String,
        /// The name of the fact.
        name: String,
    },
}

/// Questions and which documents answer them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Questions {
    /// The judged queries, in the order of their file.
    pub queries: Vec<Query>,
    /// The judgements of these queries, at least one each.
    pub judgements: Judgements,
    /// What was odd.
    pub warnings: Vec<Warning>,
}

impl Questions {
    /// Reads `queries.jsonl` and `qrels/<split>.tsv` of a folder; queries without a judgement in this
    /// split are left out.
    ///
    /// # Errors
    ///
    /// [`DatasetError`] if a file cannot be read, naming the line where one is not as it should be.
    pub fn read(folder: &Path, split: &str) -> Result<Self, DatasetError> {
        let mut warnings = Vec::new();
        let path = folder.join("qrels").join(format!("{split}.tsv"));
        let mut judgements = qrels::read(&path, &mut warnings)?;
        let path = folder.join("queries.jsonl");
        let mut queries = Vec::new();
        let mut seen = HashSet::new();
        for line in lines(&path)? {
            let (line, text) = line?;
            let Some(record) = record(&path, line, &text)? else {
                continue;
            };
            let query = record.id.into_string();
            if !judgements.contains_key(&query) {
                continue;
            }
            if seen.insert(query.clone()) {
                queries.push(Query {
                    id: query,
                    text: record.text,
                });
            } else {
                warnings.push(Warning::QueryTwice { query, line });
            }
        }
        judgements.retain(|query, _| {
            let known = seen.contains(query);
            if !known {
                let query = query.clone();
                warnings.push(Warning::UnknownQuery { query });
            }
            known
        });
        Ok(Questions {
            queries,
            judgements,
            warnings,
        })
    }

    /// Reads questions on a folder of files: the judged documents are the paths of files below
    /// `library`, with `/` between their parts. Which are missing is told in the warnings.
    ///
    /// # Errors
    ///
    /// As [`Questions::read`].
    pub fn on_files(folder: &Path, split: &str, library: &Path) -> Result<Self, DatasetError> {
        let mut questions = Questions::read(folder, split)?;
        questions.check_documents(|document| library.join(document).is_file());
        Ok(questions)
    }

    fn check_documents(&mut self, known: impl Fn(&str) -> bool) {
        for (query, grades) in &self.judgements {
            for document in grades.keys().filter(|document| !known(document)) {
                self.warnings.push(Warning::UnknownDocument {
                    query: query.clone(),
                    document: document.clone(),
                });
            }
        }
    }
}

/// Documents, questions, and which documents answer them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collection {
    /// The name of its folder.
    pub name: String,
    /// The documents, in the order of their file.
    pub documents: Vec<Document>,
    /// The judged queries, in the order of their file.
    pub queries: Vec<Query>,
    /// The judgements.
    pub judgements: Judgements,
    /// What was odd.
    pub warnings: Vec<Warning>,
}

impl Collection {
    /// Reads `corpus.jsonl` of a folder and its questions, as [`Questions::read`] does. The usual
    /// `split` is `test`.
    ///
    /// # Errors
    ///
    /// As [`Questions::read`].
    pub fn read(folder: &Path, split: &str) -> Result<Self, DatasetError> {
        let mut questions = Questions::read(folder, split)?;
        let mut warnings = Vec::new();
        let documents = read_documents(&folder.join("corpus.jsonl"), &mut warnings)?;
        let known: BTreeSet<&str> = documents
            .iter()
            .map(|document| document.id.as_str())
            .collect();
        questions.check_documents(|document| known.contains(document));
        warnings.append(&mut questions.warnings);
        let name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = name.file_name().unwrap_or_default();
        Ok(Collection {
            name: name.to_string_lossy().into_owned(),
            documents,
            queries: questions.queries,
            judgements: questions.judgements,
            warnings,
        })
    }
}

fn read_documents(path: &Path, warnings: &mut Vec<Warning>) -> Result<Vec<Document>, DatasetError> {
    let mut documents = Vec::new();
    let mut seen = HashSet::new();
    for line in lines(path)? {
        let (line, text) = line?;
        let Some(record) = record(path, line, &text)? else {
            continue;
        };
        let id = record.id.into_string();
        if !seen.insert(id.clone()) {
            warnings.push(Warning::DocumentTwice { document: id, line });
            continue;
        }
        let mut document =
            Document::new(id, record.text).with_title(record.title.unwrap_or_default());
        document.metadata = metadata(&document.id, record.metadata.unwrap_or_default(), warnings);
        documents.push(document);
    }
    Ok(documents)
}

/// The facts of a document that can be filtered on.
fn metadata(
    document: &str,
    facts: HashMap<String, serde_json::Value>,
    warnings: &mut Vec<Warning>,
) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, fact) in facts {
        if fact.is_null() {
            continue;
        }
        match serde_json::from_value::<Value>(fact) {
            Ok(value) => {
                metadata.insert(name, value);
            }
            Err(_) => warnings.push(Warning::Metadata {
                document: document.to_owned(),
                name,
            }),
        }
    }
    metadata
}

/// A line of `corpus.jsonl` or `queries.jsonl`.
#[derive(Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: Id,
    title: Option<String>,
    text: String,
    metadata: Option<HashMap<String, serde_json::Value>>,
}

/// Some collections number their documents.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(i64),
}

impl Id {
    fn into_string(self) -> String {
        match self {
            Id::Text(text) => text,
            Id::Number(number) => number.to_string(),
        }
    }
}

fn record(path: &Path, line: usize, text: &str) -> Result<Option<Record>, DatasetError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| DatasetError::Line {
            path: path.to_owned(),
            line,
            expected: "an object with _id and text",
            found: error.to_string(),
        })
}

#[cfg(test)]
#[path = "beir_tests.rs"]
mod tests;
