//! `kenning models compare`: encoders side by side, measured here.
//!
//! Each is measured in a process of its own (`worker`, which `child` starts), shown as soon as it is
//! (`table`), and kept for `models show` and `models recommend`.

mod child;
mod table;
mod worker;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use kenning::encoder::Pooling;
use kenning::models::ModelStore;
use kenning::models::known::KnownModel;
use kenning_datasets::Collection;
use kenning_datasets::measured::{Measurement, Measurements, Quality};
use kenning_datasets::speed::Speed;
use serde::Serialize;

use crate::args::Global;
use crate::failure::{Failure, Outcome, Result};
use crate::interrupt;
use crate::terminal::{self, print, print_json, say};

use child::Heard;
use worker::Measured;
pub use worker::run as worker;

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
    threads: usize,
    load_seconds: f64,
    #[serde(flatten)]
    speed: Speed,
    memory_bytes: Option<u64>,
    /// nDCG@10 of the semantic and of the hybrid ranking.
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<[f64; 2]>,
}

/// A collection, of which only this is needed here.
struct On<'a> {
    folder: &'a Path,
    name: String,
    documents: usize,
    queries: usize,
}

pub fn run(global: &Global, names: &[String], on: Option<&Path>, json: bool) -> Result {
    // What is asked for wrongly is told before minutes are spent.
    for name in names {
        Asked::parse(name)?;
    }
    let on = on.map(On::read).transpose()?;
    let store = ModelStore::from_env()?;
    let width = table::width(names);
    if !json {
        print(&table::header(width, on.is_some()))?;
    }
    let (_meaning, stop) = interrupt::measuring();
    let mut rows = Vec::new();
    let mut failed = None;
    for name in names {
        match one(global, &store, name, on.as_ref(), &stop) {
            Ok(Some(row)) => {
                if !json {
                    print(&table::line(width, &row))?;
                }
                rows.push(row);
            }
            Ok(None) => {}
            // The others are compared all the same.
            Err(failure) => {
                terminal::error(&failure.message(), failure.hint().as_deref());
                failed = Some(failure.code());
            }
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    if json {
        print_json(&rows)?;
    } else {
        print(&table::legend(on.as_ref().map(|on| on.name.as_str())))?;
    }
    if stop.load(Ordering::Relaxed) {
        return Ok(Outcome::Interrupted);
    }
    Ok(failed.map_or(Outcome::Done, Outcome::Reported))
}

/// `NAME@cls` is a model with another pooling than its folder asks for.
struct Asked<'a> {
    name: &'a str,
    pooling: Option<Pooling>,
}

impl Asked<'_> {
    fn parse(text: &str) -> Result<Asked<'_>> {
        let Some((name, pooling)) = text.rsplit_once('@') else {
            let (name, pooling) = (text, None);
            return Ok(Asked { name, pooling });
        };
        match Pooling::named(pooling) {
            Some(pooling) => Ok(Asked {
                name,
                pooling: Some(pooling),
            }),
            None => Err(Failure::usage(
                format!("there is no pooling {pooling}"),
                format!(
                    "NAME@POOLING takes one of {}",
                    Pooling::ALL.map(Pooling::name).join(", ")
                ),
            )),
        }
    }
}

impl On<'_> {
    fn read(folder: &Path) -> Result<On<'_>> {
        let collection = Collection::read(folder, "test")?;
        Ok(On {
            folder,
            documents: collection.documents.len(),
            queries: collection.queries.len(),
            name: collection.name,
        })
    }
}

/// Measures an encoder and keeps what came out; `None` if it was interrupted before there was anything.
fn one(
    global: &Global,
    store: &ModelStore,
    name: &str,
    on: Option<&On>,
    stop: &AtomicBool,
) -> Result<Option<Row>> {
    let folder = on.map(|on| on.folder);
    let Heard { measured, quality } = child::measure(global, name, folder, stop)?;
    let Some(measured) = measured else {
        return Ok(None);
    };
    keep(
        store,
        measurement(global, name, on.zip(quality), &measured)?,
    );
    let Measured { spec, .. } = *measured;
    Ok(Some(Row {
        model: name.to_owned(),
        architecture: spec.architecture,
        pooling: spec.pooling.name(),
        parameters: measured.parameters,
        dimension: spec.dimension,
        max_tokens: spec.max_tokens,
        weight_bytes: measured.weight_bytes,
        threads: measured.threads,
        load_seconds: measured.load_seconds,
        speed: measured.speed,
        memory_bytes: measured.memory_bytes,
        quality,
    }))
}

fn measurement(
    global: &Global,
    name: &str,
    quality: Option<(&On, [f64; 2])>,
    measured: &Measured,
) -> Result<Measurement> {
    let spec = &measured.spec;
    let now = jiff::Timestamp::now();
    let date = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let kenning = env!("CARGO_PKG_VERSION").to_owned();
    let quality = quality.map(|(on, [semantic, hybrid])| {
        let quality = Quality {
            semantic,
            hybrid,
            documents: on.documents,
            queries: on.queries,
            date: date.clone(),
            kenning: kenning.clone(),
        };
        (on.name.clone(), quality)
    });
    // A maker's prompts belong to the model, whether its folder names them or the command line.
    let prompted = match KnownModel::named(&spec.model).and_then(|known| known.prompts) {
        Some(wanted) => {
            (spec.query_prompt.as_str(), spec.passage_prompt.as_str())
                == (wanted.value.query, wanted.value.passage)
        }
        None => global.query_prompt.is_none() && global.passage_prompt.is_none(),
    };
    Ok(Measurement {
        plain: prompted && Asked::parse(name)?.pooling.is_none() && global.dimensions.is_none(),
        model: spec.model.clone(),
        fingerprint: spec.fingerprint(),
        weights_sha256: spec.weights_sha256.clone(),
        architecture: spec.architecture.clone(),
        pooling: spec.pooling.name(),
        parameters: measured.parameters,
        dimension: spec.dimension,
        max_tokens: spec.max_tokens,
        weight_bytes: measured.weight_bytes,
        load_seconds: measured.load_seconds,
        speed: measured.speed,
        memory_bytes: measured.memory_bytes,
        threads: measured.threads,
        quality: quality.into_iter().collect(),
        date,
        kenning,
    })
}

/// Keeps a measurement. That it cannot be kept does not make it wrong: it is told, no more.
fn keep(store: &ModelStore, row: Measurement) {
    // Read for each row: another comparison may be running.
    let mut kept = Measurements::read(&store.cache).unwrap_or_else(|error| {
        say(&format!("note: {error}; it is written anew"));
        Measurements::default()
    });
    kept.keep(row);
    if let Err(error) = kept.write(&store.cache) {
        say(&format!("note: the measurement is not kept: {error}"));
    }
}
