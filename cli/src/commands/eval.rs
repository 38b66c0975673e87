//! `kenning eval`: ranking quality on a collection.

use std::path::Path;
use std::sync::Arc;

use kenning::Index;
use kenning::encoder::Encoder;
use kenning_datasets::experiment::{self, Experiment};
use kenning_datasets::{Collection, Measure, trec};
use serde_json::{Map, Value, json};

use crate::args::{EvalArgs, Global};
use crate::context;
use crate::failure::{Outcome, Result};
use crate::terminal::{one_line, print, print_json, say};

pub fn run(global: &Global, args: &EvalArgs) -> Result {
    let collection = Collection::read(&args.dir, &args.split)?;
    for warning in &collection.warnings {
        say(&format!("note: {warning:?}"));
    }
    let encoder = context::chosen_encoder(global)?;
    let modes = match args.mode {
        Some(mode) => vec![mode.into()],
        None => experiment::MODES.to_vec(),
    };
    let index = open(args.index.as_deref(), &encoder)?;
    let experiment = experiment::run(
        &index,
        &collection,
        &modes,
        args.fusion.into(),
        &mut |done, all| {
            if !global.quiet && done % 1_000 == 0 {
                say(&format!("indexed {done} of {all} documents"));
            }
        },
    )?;
    if let Some(prefix) = &args.run_file {
        for run in &experiment.runs {
            let mut path = prefix.clone().into_os_string();
            path.push(format!(".{}.trec", run.run.name));
            trec::write_run(&run.run, Path::new(&path))?;
        }
    }
    if args.json {
        print_json(&to_json(&collection, &experiment))?;
    } else {
        print(&to_text(&collection, &experiment))?;
    }
    Ok(Outcome::Done)
}

fn open(folder: Option<&Path>, encoder: &Arc<Encoder>) -> Result<Index> {
    let index = match folder {
        Some(folder) if Index::exists(folder) => Index::open(folder)?,
        Some(folder) => Index::create(folder, encoder.spec())?,
        None => Index::in_memory(encoder.spec())?,
    };
    Ok(index.with_encoder(Arc::clone(encoder))?)
}

fn to_json(collection: &Collection, experiment: &Experiment) -> Value {
    let mut runs = Map::new();
    for run in &experiment.runs {
        let mut scores = Map::new();
        for measure in Measure::STANDARD {
            scores.insert(measure.to_string(), json!(run.scores.mean(measure)));
        }
        runs.insert(run.run.name.clone(), Value::Object(scores));
    }
    let mut seconds = Map::new();
    seconds.insert("index".into(), json!(experiment.index_seconds));
    for run in &experiment.runs {
        seconds.insert(run.run.name.clone(), json!(run.seconds));
    }
    json!({
        "dataset": collection.name,
        "documents": collection.documents.len(),
        "queries": collection.queries.len(),
        "runs": runs,
        "seconds": {
            "index": experiment.index_seconds,
            "query": experiment.runs.iter().map(|run| run.seconds).sum::<f64>(),
            "query_by_mode": seconds,
        },
    })
}

fn to_text(collection: &Collection, experiment: &Experiment) -> String {
    let mut text = format!(
        "{}: {} documents, {} queries, indexed in {:.1} s\n",
        one_line(&collection.name),
        collection.documents.len(),
        collection.queries.len(),
        experiment.index_seconds
    );
    text += &format!("{:<10}", "");
    for measure in Measure::STANDARD {
        text += &format!("{:>12}", measure.to_string());
    }
    text += &format!("{:>12}\n", "ms/query");
    for run in &experiment.runs {
        text += &format!("{:<10}", run.run.name);
        for measure in Measure::STANDARD {
            text += &format!("{:>12.4}", run.scores.mean(measure).unwrap_or_default());
        }
        let queries = collection.queries.len().max(1) as f64;
        text += &format!("{:>12.2}\n", 1e3 * run.seconds / queries);
    }
    text
}
