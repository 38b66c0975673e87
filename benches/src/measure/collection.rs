//! Indexing and asking, with a clock.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use kenning::encoder::{Encoder, EncoderOptions};
use kenning::models::ModelStore;
use kenning::{Fusion, Index, SearchRequest};
use kenning_benches::latency::Latency;
use kenning_benches::{datasets, index_files};
use kenning_datasets::{Collection, Questions, experiment, memory};
use kenning_indexer::{Catalogue, Layout, folder_bytes};

use super::Args;
use super::report::{ModeReport, Report};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What indexing took.
struct Indexed {
    folder: PathBuf,
    seconds: f64,
    embedding: Option<f64>,
    refresh: Option<f64>,
    catalogue: Option<u64>,
    questions: Vec<String>,
}

/// Indexes the collection into a temporary folder and asks its questions.
pub fn measure(args: &Args) -> Result<Report> {
    let store = ModelStore::from_env()?;
    let options = EncoderOptions::default();
    let encoder = Encoder::load(&args.model, &store, &options, &mut |_| {})?;
    let encoder = Arc::new(encoder);
    let temporary = tempfile::tempdir()?;
    let library = datasets().join("library");
    let folder = args.folder.clone().unwrap_or_else(|| library.clone());
    let mut indexed = if folder.join("corpus.jsonl").is_file() {
        index_beir(&folder, &encoder, temporary.path())?
    } else {
        index_folder(&folder, &encoder, temporary.path())?
    };
    let peak_bytes_indexing = memory::peak();
    if let Some(file) = &args.questions {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        indexed.questions = text.lines().map(str::to_owned).collect();
    } else if args.folder.is_none() {
        let own = Questions::on_files(&datasets().join("questions"), "test", &library)?;
        indexed.questions = own.queries.into_iter().map(|query| query.text).collect();
    }

    let begun = Instant::now();
    let index = Index::open(&indexed.folder)?.with_encoder(Arc::clone(&encoder))?;
    let snapshot = index.snapshot()?;
    let open_ms = begun.elapsed().as_secs_f64() * 1e3;
    if indexed.questions.is_empty() {
        snapshot.for_each_document(|_, stored| {
            indexed.questions.push(stored.title);
            Ok(())
        })?;
    }
    indexed
        .questions
        .retain(|text| text.chars().any(char::is_alphanumeric));
    indexed.questions.truncate(args.most);
    if indexed.questions.len() < 2 {
        return Err("there are no questions to ask: give some with --questions FILE".into());
    }
    let summary = snapshot.summary()?;
    Ok(Report {
        collection: folder.display().to_string(),
        model: args.model.clone(),
        threads: encoder.threads(),
        documents: summary.documents,
        chunks: summary.chunks,
        tokens: summary.embedded_tokens,
        index_seconds: indexed.seconds,
        embedding_seconds: indexed.embedding,
        refresh_seconds: indexed.refresh,
        index_bytes: folder_bytes(&indexed.folder),
        catalogue_bytes: indexed.catalogue,
        open_ms,
        questions: indexed.questions.len(),
        queries: ask_all(&index, &indexed.questions)?,
        peak_bytes_indexing,
        peak_bytes: memory::peak(),
    })
}

fn index_beir(folder: &Path, encoder: &Arc<Encoder>, to: &Path) -> Result<Indexed> {
    let collection = Collection::read(folder, "test")?;
    let to = to.join("index");
    let index = Index::create(&to, encoder.spec())?.with_encoder(Arc::clone(encoder))?;
    let run = experiment::run(&index, &collection, &[], Fusion::default(), &mut |_, _| {})?;
    Ok(Indexed {
        folder: to,
        seconds: run.index_seconds,
        embedding: None,
        refresh: None,
        catalogue: None,
        questions: collection.queries.into_iter().map(|q| q.text).collect(),
    })
}

fn index_folder(folder: &Path, encoder: &Arc<Encoder>, to: &Path) -> Result<Indexed> {
    let absolute = folder.canonicalize();
    let paths = [absolute.map_err(|error| format!("cannot open {}: {error}", folder.display()))?];
    let layout = Layout::for_paths(&paths, Some(to))?;
    let index = Index::create(&layout.index(), encoder.spec())?;
    let index = index.with_encoder(Arc::clone(encoder))?;
    let catalogue = Catalogue::open(&layout.catalogue(), &index)?;
    let run = || index_files(&index, &catalogue, &layout, &paths);
    let report = run()?;
    for failure in &report.failed {
        eprintln!("failed: {}: {}", failure.path, failure.reason);
    }
    let again = run()?;
    drop(catalogue);
    Ok(Indexed {
        seconds: report.seconds,
        embedding: Some(report.embedding_seconds),
        refresh: Some(again.seconds),
        catalogue: Some(folder_bytes(&layout.catalogue())),
        folder: layout.index(),
        questions: Vec::new(),
    })
}

fn ask_all(index: &Index, questions: &[String]) -> Result<Vec<ModeReport>> {
    let mut reports = Vec::new();
    for mode in experiment::MODES {
        let mut times = Vec::with_capacity(questions.len());
        let mut plan = "none";
        for question in questions {
            let begun = Instant::now();
            let response = index.search(&SearchRequest::new(question).with_mode(mode))?;
            times.push(begun.elapsed());
            plan = response.plan.vectors;
        }
        reports.extend(Latency::of(&times).map(|milliseconds| ModeReport {
            mode: experiment::mode_name(mode),
            milliseconds,
            plan,
        }));
    }
    Ok(reports)
}
