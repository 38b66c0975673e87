//! One encoder measured, in a process of its own: its memory is then that of no other.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use kenning::Index;
use kenning::encoder::{Encoder, EncoderSpec};
use kenning::models::{ModelStore, parameters};
use kenning::search::{Fusion, Mode};
use kenning_datasets::speed::{Speed, measure};
use kenning_datasets::{Collection, Measure, experiment, memory};
use serde::{Deserialize, Serialize};

use super::Asked;
use crate::args::{Global, MeasureArgs};
use crate::context;
use crate::failure::{Outcome, Result, Told};
use crate::progress::{Counting, Working};
use crate::terminal::{one_line, print};

/// What the process says on standard output, a line of JSON each time.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// Everything but how well it ranks.
    Measured(Box<Measured>),
    /// nDCG@10 of the semantic and of the hybrid ranking: comes after the other.
    Quality([f64; 2]),
    /// It failed.
    Failed(Told),
}

/// What came out.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    pub spec: EncoderSpec,
    pub parameters: u64,
    pub weight_bytes: u64,
    pub threads: usize,
    pub load_seconds: f64,
    pub speed: Speed,
    pub memory_bytes: Option<u64>,
}

/// `kenning measure-worker`.
pub fn run(global: &Global, args: &MeasureArgs) -> Result {
    end_with_parent();
    let told = match one(global, args) {
        Ok(()) => return Ok(Outcome::Done),
        Err(failure) => Told::from(&failure),
    };
    tell(&Said::Failed(told))?;
    Ok(Outcome::Done)
}

fn tell(said: &Said) -> Result<()> {
    let text = serde_json::to_string(said).map_err(io::Error::other)?;
    print(&format!("{text}\n"))
}

/// Standard input is a pipe that the comparison holds open and never writes to: when it ends, so does this.
fn end_with_parent() {
    std::thread::spawn(|| {
        let mut nothing = [0];
        while matches!(io::stdin().read(&mut nothing), Ok(1..)) {}
        std::process::exit(130);
    });
}

fn one(global: &Global, args: &MeasureArgs) -> Result<()> {
    let asked = Asked::parse(&args.name)?;
    let store = ModelStore::from_env()?;
    let folder = context::fetch(global, &store, asked.name)?;
    // Without loading: that would take memory.
    let parameters = parameters(&folder)?;
    let name = one_line(&args.name);
    let working = Working::new(global.quiet, format!("measuring {name}"));
    warm(&folder);
    let before = memory::resident();
    let begun = Instant::now();
    let encoder = context::load_pooled(global, asked.name, asked.pooling)?;
    let load_seconds = begun.elapsed().as_secs_f64();
    let speed = measure(&encoder)?;
    // Before there are documents and an index of them.
    let memory_bytes = memory::peak()
        .zip(before)
        .map(|(peak, before)| peak.saturating_sub(before));
    drop(working);
    tell(&Said::Measured(Box::new(Measured {
        spec: encoder.spec().clone(),
        parameters,
        weight_bytes: encoder.weight_bytes(),
        threads: encoder.threads(),
        load_seconds,
        speed,
        memory_bytes,
    })))?;
    match &args.on {
        Some(folder) => tell(&Said::Quality(quality(global, &encoder, folder, &name)?)),
        None => Ok(()),
    }
}

/// Reads what a model consists of once, so that the disk is not taken for loading. What cannot be read is
/// told by loading.
fn warm(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => warm(&path),
            false => drop(File::open(path).map(|mut file| io::copy(&mut file, &mut io::sink()))),
        }
    }
}

fn quality(global: &Global, encoder: &Arc<Encoder>, folder: &Path, name: &str) -> Result<[f64; 2]> {
    let collection = Collection::read(folder, "test")?;
    let index = Index::in_memory(encoder.spec())?.with_encoder(Arc::clone(encoder))?;
    let what = format!("{name}: documents of {}", one_line(&collection.name));
    let mut counting = Counting::new(global.quiet, what, collection.documents.len());
    let done = experiment::run(
        &index,
        &collection,
        &[Mode::Semantic, Mode::Hybrid],
        Fusion::default(),
        &mut |done, all| counting.show(done, all),
    )?;
    let score = |place: usize| {
        let run = done.runs.get(place);
        run.and_then(|run| run.scores.mean(Measure::Ndcg(10)))
            .unwrap_or_default()
    };
    Ok([score(0), score(1)])
}
