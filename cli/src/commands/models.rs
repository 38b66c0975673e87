//! `kenning models`: encoders on this machine, and how they come here.

use kenning::encoder::Stage;
use kenning::models::{DEFAULT_MODEL, ModelInfo, ModelStore, inspect};
use kenning_datasets::measured::Measurement;
use serde::Serialize;

use super::{compare, recommend};
use crate::args::{Global, ModelsArgs, ModelsCommand};
use crate::context;
use crate::failure::{Failure, Outcome, Result};
use crate::progress::{bytes, counted};
use crate::terminal::{self, one_line, print, say};

pub fn run(global: &Global, args: &ModelsArgs) -> Result {
    let store = ModelStore::from_env()?;
    match &args.command {
        ModelsCommand::List { json } => list(global, &store, *json),
        ModelsCommand::Pull { name, json } => pull(global, &store, name, *json),
        ModelsCommand::Compare { names, on, json } => {
            compare::run(global, names, on.as_deref(), *json)
        }
        ModelsCommand::Recommend { constraints, json } => {
            recommend::run(&store, constraints, *json)
        }
        ModelsCommand::Show { name, json } => show(&store, name, *json),
    }
}

fn list(global: &Global, store: &ModelStore, json: bool) -> Result {
    let found = store.list()?;
    if json {
        return print_json(&found);
    }
    if found.is_empty() && !global.quiet {
        say("no models on this machine");
        say(&format!(
            "hint: `kenning models pull {DEFAULT_MODEL}` fetches the default"
        ));
    }
    let width = found
        .iter()
        .map(|model| model.name.len())
        .max()
        .unwrap_or(0);
    for model in &found {
        let size = bytes(model.bytes);
        let folder = one_line(&model.folder.display().to_string());
        let name = one_line(&model.name);
        print(&format!("{name:width$}  {size:>10}  {folder}\n"))?;
        if let Some(problem) = &model.problem {
            print(&format!(
                "{:width$}  cannot be loaded: {}\n",
                "",
                one_line(problem)
            ))?;
        }
    }
    Ok(Outcome::Done)
}

fn pull(global: &Global, store: &ModelStore, name: &str, json: bool) -> Result {
    let here = store.find(name)?.is_some();
    let info = inspect(&context::fetch(global, store, name)?)?;
    if json {
        return print_json(&info);
    }
    if !global.quiet {
        let done = if here { "is here already" } else { "fetched" };
        say(&format!("{} {done}: {}", one_line(name), bytes(info.bytes)));
    }
    print(&format!(
        "{}\n",
        one_line(&info.folder.display().to_string())
    ))?;
    Ok(Outcome::Done)
}

fn show(store: &ModelStore, name: &str, json: bool) -> Result {
    let Some(folder) = store.find(name)? else {
        return Err(Failure::NoModel {
            name: name.to_owned(),
        });
    };
    let info = inspect(&folder)?;
    let measured = recommend::measured(store);
    let measured = measured.of(&info.fingerprint);
    if json {
        return print_json(&Shown {
            memory_bytes: measured.and_then(|row| row.memory_bytes),
            measured,
            info: &info,
        });
    }
    print(&text(&info, measured))?;
    Ok(Outcome::Done)
}

/// What is known of a model.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    info: &'a ModelInfo,
    /// The memory that it took, if that was measured.
    memory_bytes: Option<u64>,
    /// The latest measurement, if there is one.
    measured: Option<&'a Measurement>,
}

fn print_json(value: &impl Serialize) -> Result {
    terminal::print_json(value)?;
    Ok(Outcome::Done)
}

fn text(info: &ModelInfo, measured: Option<&Measurement>) -> String {
    let spec = &info.spec;
    let prompt = |text: &str| match text {
        "" => "none".to_owned(),
        text => one_line(&format!("{text:?}")),
    };
    format!(
        "model         {}\n\
         folder        {}\n\
         architecture  {}\n\
         settings      {}\n\
         precision     {}\n\
         dimensions    {}\n\
         tokens        {} at once\n\
         pooling       {}\n\
         stages        {}\n\
         normalised    {}\n\
         prompts       query {}, passage {}\n\
         parameters    {:.1} million\n\
         size          {}\n\
         memory        {}\n\
         weights       sha256 {}\n\
         tokenizer     sha256 {}\n\
         fingerprint   {}\n",
        one_line(&spec.model),
        one_line(&info.folder.display().to_string()),
        one_line(&spec.architecture),
        one_line(&spec.settings),
        spec.precision.name(),
        spec.dimension,
        spec.max_tokens,
        spec.pooling.name(),
        stages(&spec.stages),
        if spec.normalise { "yes" } else { "no" },
        prompt(&spec.query_prompt),
        prompt(&spec.passage_prompt),
        info.parameters as f64 / 1e6,
        bytes(info.bytes),
        memory(info, measured),
        spec.weights_sha256,
        spec.tokenizer_sha256,
        info.fingerprint,
    )
}

/// The memory that a model takes, and how that is known.
fn memory(info: &ModelInfo, measured: Option<&Measurement>) -> String {
    match measured.and_then(|row| Some((row, row.memory_bytes?))) {
        Some((row, taken)) => format!(
            "{}, measured on {} with {}",
            bytes(taken),
            one_line(row.date.get(..10).unwrap_or(&row.date)),
            counted(row.threads as u64, "thread")
        ),
        None => format!(
            "about {}, an estimate; `kenning models compare` measures it",
            bytes(info.memory_estimate_bytes)
        ),
    }
}

/// What follows pooling, in words.
fn stages(stages: &[Stage]) -> String {
    let names = stages.iter().map(|stage| match stage {
        Stage::Normalise => "normalise".to_owned(),
        Stage::Truncate { dimension } => format!("the first {dimension}"),
        Stage::Dense {
            dimension,
            activation,
            ..
        } => {
            format!("dense to {dimension}, {}", activation.name())
        }
        _ => "another".to_owned(),
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join("; ")
    }
}
