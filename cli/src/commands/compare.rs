//! `kenning models compare`: encoders side by side, measured here.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use kenning::Index;
use kenning::encoder::{Encoder, Pooling};
use kenning::models::{ModelStore, inspect};
use kenning::search::{Fusion, Mode};
use kenning_datasets::speed::{Speed, measure};
use kenning_datasets::{Collection, Measure, experiment};
use serde::Serialize;

use crate::args::Global;
use crate::context;
use crate::failure::{Failure, Outcome, Result};
use crate::progress::{Working, bytes};
use crate::terminal::{one_line, print, say};

/// One encoder, measured.
#[derive(Serialize)]
struct Row {
    model: String,
    architecture: String,
    pooling: String,
    parameters: u64,
    dimension: usize,
    max_tokens: usize,
    weight_bytes: u64,
    load_seconds: f64,
    #[serde(flatten)]
    speed: Speed,
    /// nDCG@10 of the semantic and of the hybrid ranking.
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<[f64; 2]>,
}

pub fn run(global: &Global, names: &[String], on: Option<&Path>, json: bool) -> Result {
    let collection = on
        .map(|folder| Collection::read(folder, "test"))
        .transpose()?;
    let store = ModelStore::from_env()?;
    let mut rows = Vec::new();
    let mut failed = None;
    for name in names {
        match row(global, &store, name, collection.as_ref()) {
            Ok(row) => rows.push(row),
            // The others are compared all the same.
            Err(failure) => {
                say(&format!("error: {}", failure.message()));
                if let Some(hint) = failure.hint() {
                    say(&format!("hint: {hint}"));
                }
                failed = Some(failure.code());
            }
        }
    }
    if json {
        let text = serde_json::to_string(&rows).map_err(std::io::Error::other)?;
        print(&format!("{text}\n"))?;
    } else {
        print(&table(&rows, collection.as_ref()))?;
    }
    Ok(failed.map_or(Outcome::Done, Outcome::Reported))
}

/// `NAME@cls` is a model with another pooling than its folder asks for.
fn split(name: &str) -> Result<(&str, Option<Pooling>)> {
    match name.rsplit_once('@') {
        None => Ok((name, None)),
        Some((name, pooling)) => match Pooling::named(pooling) {
            Some(pooling) => Ok((name, Some(pooling))),
            None => Err(Failure::usage(
                format!("there is no pooling {pooling}"),
                format!(
                    "NAME@POOLING takes one of {}",
                    Pooling::ALL.map(Pooling::name).join(", ")
                ),
            )),
        },
    }
}

fn row(
    global: &Global,
    store: &ModelStore,
    name: &str,
    collection: Option<&Collection>,
) -> Result<Row> {
    let (plain, pooling) = split(name)?;
    // Fetched and read once before, so that neither is taken for loading.
    let info = inspect(&context::fetch(global, store, plain)?)?;
    let begun = Instant::now();
    let encoder = context::load_pooled(global, plain, pooling)?;
    let load_seconds = begun.elapsed().as_secs_f64();
    let working = Working::new(global.quiet, "measuring");
    let speed = measure(&encoder)?;
    let quality = collection
        .map(|collection| quality(&encoder, collection))
        .transpose()?;
    drop(working);
    let spec = encoder.spec();
    Ok(Row {
        model: name.to_owned(),
        architecture: spec.architecture.clone(),
        pooling: spec.pooling.name(),
        parameters: info.parameters,
        dimension: spec.dimension,
        max_tokens: spec.max_tokens,
        weight_bytes: encoder.weight_bytes(),
        load_seconds,
        speed,
        quality,
    })
}

fn quality(encoder: &Arc<Encoder>, collection: &Collection) -> Result<[f64; 2]> {
    let index = Index::in_memory(encoder.spec())?.with_encoder(Arc::clone(encoder))?;
    let modes = [Mode::Semantic, Mode::Hybrid];
    let done = experiment::run(
        &index,
        collection,
        &modes,
        Fusion::default(),
        &mut |_, _| {},
    )?;
    let score = |place: usize| {
        let run = done.runs.get(place);
        run.and_then(|run| run.scores.mean(Measure::Ndcg(10)))
            .unwrap_or_default()
    };
    Ok([score(0), score(1)])
}

fn table(rows: &[Row], collection: Option<&Collection>) -> String {
    let width = rows
        .iter()
        .map(|row| row.model.len())
        .max()
        .unwrap_or(0)
        .max(5);
    let mut text = format!(
        "{:width$}  {:>8}  {:>5}  {:>6}  {:>10}  {:>7}  {:>9}  {:>11}",
        "model", "million", "dim", "limit", "weights", "load", "tokens/s", "question"
    );
    if collection.is_some() {
        text += &format!("  {:>8}  {:>7}", "semantic", "hybrid");
    }
    text.push('\n');
    for row in rows {
        text += &format!(
            "{:width$}  {:>8.1}  {:>5}  {:>6}  {:>10}  {:>5.2} s  {:>9.0}  {:>8.2} ms",
            one_line(&row.model),
            row.parameters as f64 / 1e6,
            row.dimension,
            row.max_tokens,
            bytes(row.weight_bytes),
            row.load_seconds,
            row.speed.tokens_per_second,
            row.speed.question_ms,
        );
        if let Some([semantic, hybrid]) = row.quality {
            text += &format!("  {semantic:>8.4}  {hybrid:>7.4}");
        }
        text.push('\n');
    }
    if let Some(collection) = collection {
        text += &format!(
            "semantic, hybrid: nDCG@10 on {}\n",
            one_line(&collection.name)
        );
    }
    text
}
