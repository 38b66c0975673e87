//! `kenning models`: encoders on this machine, and how they come here.

use kenning::encoder::Stage;
use kenning::models::{DEFAULT_MODEL, ModelInfo, ModelStore, inspect};

use super::compare;
use crate::args::{Global, ModelsArgs, ModelsCommand};
use crate::context;
use crate::failure::{Failure, Outcome, Result};
use crate::progress::bytes;
use crate::terminal::{one_line, print, say};

pub fn run(global: &Global, args: &ModelsArgs) -> Result {
    let store = ModelStore::from_env()?;
    match &args.command {
        ModelsCommand::List { json } => list(global, &store, *json),
        ModelsCommand::Pull { name, json } => pull(global, &store, name, *json),
        ModelsCommand::Compare { names, on, json } => {
            compare::run(global, names, on.as_deref(), *json)
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
        print(&format!("{:width$}  {size:>10}  {folder}\n", model.name))?;
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
    if json {
        return print_json(&info);
    }
    print(&text(&info))?;
    Ok(Outcome::Done)
}

fn print_json(value: &impl serde::Serialize) -> Result {
    let text = serde_json::to_string(value).map_err(std::io::Error::other)?;
    print(&format!("{text}\n"))?;
    Ok(Outcome::Done)
}

fn text(info: &ModelInfo) -> String {
    let spec = &info.spec;
    let prompt = |text: &str| match text {
        "" => "none".to_owned(),
        text => format!("{text:?}"),
    };
    format!(
        "model         {}\n\
         folder        {}\n\
         architecture  {}\n\
         dimensions    {}\n\
         tokens        {} at once\n\
         pooling       {}\n\
         stages        {}\n\
         normalised    {}\n\
         prompts       query {}, passage {}\n\
         parameters    {:.1} million\n\
         size          {}\n\
         weights       sha256 {}\n\
         fingerprint   {}\n",
        one_line(&spec.model),
        one_line(&info.folder.display().to_string()),
        one_line(&spec.architecture),
        spec.dimension,
        spec.max_tokens,
        spec.pooling.name(),
        stages(&spec.stages),
        if spec.normalise { "yes" } else { "no" },
        prompt(&spec.query_prompt),
        prompt(&spec.passage_prompt),
        info.parameters as f64 / 1e6,
        bytes(info.bytes),
        spec.weights_sha256,
        info.fingerprint,
    )
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
