//! What is asked and what is answered: plain data.

use std::time::Duration;

use serde::Serialize;

use crate::document::Metadata;
use crate::keyword::bm25::TermScore;

use super::filter::Filter;
use super::fusion::Fusion;

/// Which legs rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Both legs, fused.
    #[default]
    Hybrid,
    /// Vectors alone.
    Semantic,
    /// Words alone; needs no encoder.
    Keyword,
}

/// How vectors are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Vectors {
    /// Whatever is quickest for each segment.
    #[default]
    Auto,
    /// Every row is compared.
    Exact,
    /// By the graph, in every segment that has one and where it finds enough documents.
    Graph,
}

/// The effort of a request that names none: as many documents as hybrid search takes the scale of each leg from.
pub const DEFAULT_EFFORT: usize = 100;

/// A question to a snapshot.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// What was typed; see [`crate::keyword::query`] for what is understood in it.
    pub query: String,
    /// Which legs rank.
    pub mode: Mode,
    /// How many documents to return.
    pub limit: usize,
    /// How many of the best to leave out first.
    pub offset: usize,
    /// How many passages of each document to return; with 0 only the ranking.
    pub passages: usize,
    /// Which documents may be found.
    pub filter: Option<Filter>,
    /// How vectors are searched.
    pub vectors: Vectors,
    /// How many documents each graph is asked for at least, which decides how broadly it is walked: more find
    /// what fewer miss, and take longer. It is what hnswlib calls `ef` and Faiss `efSearch`.
    /// [`DEFAULT_EFFORT`] where it is left out; hybrid search asks for no fewer than that. Scans know no effort.
    pub effort: Option<usize>,
    /// How the legs are fused.
    pub fusion: Fusion,
    /// Hits below this score are left out.
    pub min_score: Option<f32>,
    /// Whether hits come with the sum that gave their score.
    pub explain: bool,
}

impl SearchRequest {
    /// The ten best documents for a question, by both legs.
    pub fn new(query: impl Into<String>) -> Self {
        SearchRequest {
            query: query.into(),
            mode: Mode::default(),
            limit: 10,
            offset: 0,
            passages: 1,
            filter: None,
            vectors: Vectors::default(),
            effort: None,
            fusion: Fusion::default(),
            min_score: None,
            explain: false,
        }
    }

    /// The same request in another mode.
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The same request with another number of documents.
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The same request, restricted to the documents for which `filter` holds.
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }
}

/// The answer.
#[derive(Debug, Clone, Serialize)]
pub struct SearchResponse {
    /// What was asked.
    pub query: String,
    /// Which legs ranked.
    pub mode: Mode,
    /// The commit that was searched.
    pub generation: u64,
    /// How long it took, the embedding of the query included.
    #[serde(skip)]
    pub took: Duration,
    /// How it was done.
    pub plan: Plan,
    /// Whether anything looks relevant. If not, the hits are near misses.
    pub relevant: bool,
    /// The documents, best first.
    pub hits: Vec<SearchHit>,
}

/// How a question was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// "exact", "graph", "exact+graph" where segments differ, "none" without a vector leg.
    pub vectors: &'static str,
    /// Rows whose vector was compared with the query.
    pub rows_compared: u64,
    /// Documents that the filter, phrases and exclusions let through.
    pub documents_allowed: u64,
    /// Documents in the snapshot.
    pub documents: u64,
    /// The words that the keyword leg looked for.
    pub terms: Vec<String>,
}

/// A document that was found, with its best passage.
#[derive(Debug, Clone, Serialize)]
pub struct SearchHit {
    /// Its place, from 1.
    pub rank: usize,
    /// The document's id.
    pub id: String,
    /// Its title; the heading path of the best passage where that says more.
    pub title: String,
    /// What it was ranked by.
    pub score: f32,
    /// Cosine of the query with the document's best passage; `None` without a vector leg.
    pub semantic: Option<f32>,
    /// BM25 of the document; `None` without a keyword leg.
    pub keyword: Option<f32>,
    /// Its best passages, best first.
    pub passages: Vec<Passage>,
    /// Its metadata.
    pub metadata: Metadata,
    /// How the score came about, where that was asked for.
    pub explanation: Option<Explanation>,
}

/// A passage of a document that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Passage {
    /// The headings above it.
    pub title: String,
    /// Its first and last line in the document's text, from 1. For a file that was converted (DOCX, PDF,
    /// HTML and so on) they are lines of the extracted text, which no editor shows.
    pub lines: [u32; 2],
    /// Its byte span in the document's text: in the extracted text for a converted file. The folder
    /// indexer gives the span in the file itself for a text file, whatever its encoding.
    pub bytes: [u64; 2],
    /// The page of the file that it begins on, from 1, where the file has pages.
    pub page: Option<u32>,
    /// The whole passage.
    pub text: String,
    /// The part that answers best, with line breaks turned into spaces.
    pub snippet: String,
    /// Byte spans in the snippet that hold words of the query.
    pub highlights: Vec<[usize; 2]>,
    /// Cosine with the query; `None` without a vector leg.
    pub semantic: Option<f32>,
    /// BM25 as a passage of its own; `None` without a keyword leg.
    pub keyword: Option<f32>,
}

/// How a score came about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// What each leg contributed; the sum is the score.
    pub parts: Vec<Part>,
    /// What each word contributed to the document's BM25; the sum is the BM25.
    pub terms: Vec<TermScore>,
}

/// One addend of a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// "semantic" or "keyword".
    pub leg: &'static str,
    /// The leg's own score: a cosine or a BM25.
    pub raw: f32,
    /// The same after normalisation.
    pub normalised: f32,
    /// Its weight.
    pub weight: f32,
    /// weight · normalised
    pub score: f32,
}
