//! Kenning's side of a comparison with other programs: `benches/peers/run.py` drives it.
//!
//! A command is a line of JSON on standard input, its answer a line of JSON on standard output: an object, with
//! `error` in it where the command failed. Texts come as a file that holds a JSON list of strings, vectors as
//! files of little-endian f32, row after row. What is timed does not include reading and writing of those files.

use std::error::Error;
use std::io::{BufRead, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use kenning::encoder::{Encoded, Encoder, EncoderOptions, Precision, Role};
use kenning::index::GraphOptions;
use kenning::search::Vectors;
use kenning::{Index, Mode, SearchRequest, Snapshot};
use kenning_benches::{one_chunk_document, spec};
use kenning_datasets::memory;
use serde::Deserialize;
use serde_json::{Value, json};

// What the command line uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What can be asked for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Command {
    /// Open the model in a folder.
    Load {
        model: PathBuf,
        /// Kenning's own choice where it is left out.
        precision: Option<Precision>,
        threads: usize,
    },
    /// Embed the texts of a file in one call; write the vectors where that is asked for.
    Embed {
        texts: PathBuf,
        write: Option<PathBuf>,
    },
    /// Embed the texts of a file as queries, one at a time.
    Single { texts: PathBuf },
    /// Tell the most memory that was ever resident.
    Peak,
    /// Build an index in `folder`, to be opened, that holds the vectors, in one segment with a graph.
    Build {
        vectors: PathBuf,
        dimension: usize,
        folder: PathBuf,
    },
    /// Open the index in `folder`.
    Open { folder: PathBuf },
    /// Search the index for the nearest of each query.
    Search {
        queries: PathBuf,
        limit: usize,
        plan: SearchPlan,
        /// Kenning's own choice where it is left out.
        effort: Option<usize>,
    },
}

/// How vectors are searched.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SearchPlan {
    Exact,
    Graph,
}

/// What commands leave for those after them.
#[derive(Default)]
struct State {
    encoder: Option<Encoder>,
    snapshot: Option<Snapshot>,
}

fn main() -> Result<()> {
    let mut state = State::default();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = serde_json::from_str(&line?)
            .map_err(Into::into)
            .and_then(|command| state.run(command));
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

impl State {
    fn run(&mut self, command: Command) -> Result<Value> {
        match command {
            Command::Load {
                model,
                precision,
                threads,
            } => self.load(&model, precision, threads),
            Command::Embed { texts, write } => self.embed(&texts, write.as_deref()),
            Command::Single { texts } => self.single(&texts),
            Command::Peak => Ok(json!({ "bytes": memory::peak() })),
            Command::Build {
                vectors,
                dimension,
                folder,
            } => self.build(&vectors, dimension, &folder),
            Command::Open { folder } => {
                self.snapshot = Some(Index::open(&folder)?.snapshot()?);
                Ok(json!({}))
            }
            Command::Search {
                queries,
                limit,
                plan,
                effort,
            } => self.search(&queries, limit, plan, effort),
        }
    }

    fn load(
        &mut self,
        model: &Path,
        precision: Option<Precision>,
        threads: usize,
    ) -> Result<Value> {
        let begun = Instant::now();
        let options = EncoderOptions {
            precision,
            threads: Some(threads),
            ..EncoderOptions::default()
        };
        let encoder = self.encoder.insert(Encoder::open(model, &options)?);
        Ok(json!({
            "seconds": begun.elapsed().as_secs_f64(),
            "precision": encoder.spec().precision,
            "max_tokens": encoder.spec().max_tokens,
            "dimension": encoder.spec().dimension,
        }))
    }

    fn encoder(&self) -> Result<&Encoder> {
        Ok(self.encoder.as_ref().ok_or("no model is loaded")?)
    }

    fn embed(&self, texts: &Path, write: Option<&Path>) -> Result<Value> {
        let texts = read_texts(texts)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let encoder = self.encoder()?;
        let begun = Instant::now();
        let encoded = encoder.encode(Role::Passage, &texts)?;
        let seconds = begun.elapsed().as_secs_f64();
        if let Some(file) = write {
            write_vectors(file, &encoded)?;
        }
        let tokens: usize = encoded.iter().map(|text| text.tokens).sum();
        Ok(json!({ "seconds": seconds, "tokens": tokens }))
    }

    fn single(&self, texts: &Path) -> Result<Value> {
        let texts = read_texts(texts)?;
        let encoder = self.encoder()?;
        let (mut milliseconds, mut tokens) = (Vec::with_capacity(texts.len()), 0);
        for text in &texts {
            let begun = Instant::now();
            let encoded = encoder.encode(Role::Query, &[text])?;
            milliseconds.push(begun.elapsed().as_secs_f64() * 1e3);
            tokens += encoded.iter().map(|text| text.tokens).sum::<usize>();
        }
        Ok(json!({ "milliseconds": milliseconds, "tokens": tokens }))
    }

    fn build(&self, vectors: &Path, dimension: usize, folder: &Path) -> Result<Value> {
        let vectors = read_vectors(vectors, dimension)?;
        let begun = Instant::now();
        let index = Index::create(folder, &spec(dimension))?;
        let mut writer = index.writer()?;
        for (row, vector) in vectors.chunks_exact(dimension).enumerate() {
            // One word a document: text is not what is measured.
            writer.add(one_chunk_document(row.to_string(), "x", 1, vector.to_vec()))?;
        }
        writer.optimize()?;
        let writing_seconds = begun.elapsed().as_secs_f64();
        let options = GraphOptions { min_rows: 1 };
        let report = writer.build_graphs(&options, &mut |_| ControlFlow::Continue(()))?;
        writer.close()?;
        let [graph] = &report.graphs[..] else {
            return Err(
                format!("one graph was expected, there are {}", report.graphs.len()).into(),
            );
        };
        Ok(json!({
            "writing_seconds": writing_seconds,
            "graph_seconds": graph.took.as_secs_f64(),
            "graph_kept": graph.kept,
            "bytes": bytes_by_extension(folder)?,
        }))
    }

    fn search(
        &self,
        queries: &Path,
        limit: usize,
        plan: SearchPlan,
        effort: Option<usize>,
    ) -> Result<Value> {
        let snapshot = self.snapshot.as_ref().ok_or("no index is open")?;
        let dimension = snapshot.spec().encoder.dimension;
        let queries = read_vectors(queries, dimension)?;
        let mut request = SearchRequest::new("").with_mode(Mode::Semantic);
        request.limit = limit;
        request.passages = 0;
        request.effort = effort;
        request.vectors = match plan {
            SearchPlan::Exact => Vectors::Exact,
            SearchPlan::Graph => Vectors::Graph,
        };
        let mut responses = Vec::with_capacity(queries.len() / dimension);
        let begun = Instant::now();
        for query in queries.chunks_exact(dimension) {
            responses.push(snapshot.search(&request, Some(query))?);
        }
        let seconds = begun.elapsed().as_secs_f64();
        let rows = |hits: &[kenning::SearchHit]| -> Result<Vec<u32>> {
            hits.iter().map(|hit| Ok(hit.id.parse()?)).collect()
        };
        let found = responses.iter().map(|response| rows(&response.hits));
        let compared: u64 = responses.iter().map(|r| r.plan.rows_compared).sum();
        Ok(json!({
            "seconds": seconds,
            "plan": responses.first().map(|response| response.plan.vectors),
            "compared": compared,
            "rows": found.collect::<Result<Vec<_>>>()?,
        }))
    }
}

fn read_texts(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(serde_json::from_str(&text)?)
}

fn read_vectors(file: &Path, dimension: usize) -> Result<Vec<f32>> {
    let bytes =
        std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    if dimension == 0 || bytes.len() % (4 * dimension) != 0 {
        let length = bytes.len();
        return Err(format!("{length} bytes are no vectors of {dimension} numbers").into());
    }
    let (words, _) = bytes.as_chunks::<4>();
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

fn write_vectors(file: &Path, encoded: &[Encoded]) -> Result<()> {
    let numbers = encoded.iter().flat_map(|text| &text.embedding);
    let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
    std::fs::write(file, bytes)
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(())
}

/// Sizes of the files in `folder`, summed by extension: `vec` are the codes that a search reads, `res` what
/// makes them exact, `hnsw` the graph.
fn bytes_by_extension(folder: &Path) -> Result<Value> {
    let mut sums = serde_json::Map::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let Some(extension) = path.extension().and_then(|extension| extension.to_str()) else {
            continue;
        };
        let before = sums.get(extension).and_then(Value::as_u64).unwrap_or(0);
        let sum = before + entry.metadata()?.len();
        sums.insert(extension.to_owned(), sum.into());
    }
    Ok(sums.into())
}
