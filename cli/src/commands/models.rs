//! `kenning models`: the encoders on this machine.

use std::path::PathBuf;

use indicatif::HumanBytes;
use kenning::models::{Installed, ModelInfo, ModelStore, inspect};
use serde_json::json;

use crate::args::{ModelsArgs, ModelsCommand};
use crate::failure::{Failure, Outcome, Result};
use crate::progress::Download;
use crate::terminal::{Style, one_line, print, say};

/// Lists, fetches and describes encoders.
pub fn run(args: &ModelsArgs) -> Result {
    let store = ModelStore::from_env()?;
    match &args.command {
        ModelsCommand::List { json } => list(&store, *json),
        ModelsCommand::Pull { name } => pull(&store, name),
        ModelsCommand::Show { name, json } => show(&store, name, *json),
    }
}

fn list(store: &ModelStore, as_json: bool) -> Result {
    let models = store.list()?;
    if as_json {
        print(&format!("{}\n", json!(models)))?;
    } else if models.is_empty() {
        say("no model is on this machine; `kenning models pull all-MiniLM-L6-v2` fetches one");
    } else {
        print(&models.iter().map(line).collect::<String>())?;
    }
    Ok(if models.is_empty() {
        Outcome::Nothing
    } else {
        Outcome::Done
    })
}

fn line(model: &Installed) -> String {
    let style = Style::of_output();
    let bytes = HumanBytes(model.bytes).to_string();
    let note = match &model.problem {
        Some(problem) => format!("  cannot be used: {}", one_line(problem)),
        None => String::new(),
    };
    let folder = style.path(&one_line(&model.folder.display().to_string()));
    format!(
        "{}  {bytes}  {folder}{}\n",
        style.bold(&one_line(&model.name)),
        style.dim(&note)
    )
}

fn pull(store: &ModelStore, name: &str) -> Result {
    let mut download = Download::new(false);
    let folder = store.fetch(name, &mut |progress| download.show(&progress));
    download.finish();
    print(&format!("{}\n", folder?.display()))?;
    Ok(Outcome::Done)
}

fn show(store: &ModelStore, name: &str, as_json: bool) -> Result {
    let info = inspect(&on_this_machine(store, name)?)?;
    if as_json {
        print(&format!("{}\n", json!(info)))?;
    } else {
        print(&description(&info))?;
    }
    Ok(Outcome::Done)
}

/// The model's folder. It is not fetched: to look is not to load.
fn on_this_machine(store: &ModelStore, name: &str) -> Result<PathBuf> {
    store.find(name)?.ok_or_else(|| {
        Failure::usage(
            format!("the model {name} is not on this machine"),
            format!("fetch it with `kenning models pull {name}`"),
        )
    })
}

fn description(info: &ModelInfo) -> String {
    let spec = &info.spec;
    let quoted = |prompt: &str| {
        if prompt.is_empty() {
            "none".into()
        } else {
            format!("{prompt:?}")
        }
    };
    let lines = [
        ("folder", info.folder.display().to_string()),
        ("size", HumanBytes(info.bytes).to_string()),
        (
            "architecture",
            format!("{}, {}", spec.architecture, spec.settings),
        ),
        (
            "parameters",
            format!("{:.1} million", info.parameters as f64 / 1e6),
        ),
        ("dimension", spec.dimension.to_string()),
        ("token limit", spec.max_tokens.to_string()),
        ("pooling", spec.pooling.name().to_owned()),
        ("query prompt", quoted(&spec.query_prompt)),
        ("passage prompt", quoted(&spec.passage_prompt)),
        ("weights", format!("sha256 {}", spec.weights_sha256)),
        ("tokenizer", format!("sha256 {}", spec.tokenizer_sha256)),
        ("fingerprint", info.fingerprint.clone()),
    ];
    let style = Style::of_output();
    let line = |(name, value): (&str, String)| {
        format!(
            "{} {}\n",
            style.dim(&format!("{name:<14}")),
            one_line(&value)
        )
    };
    lines.into_iter().map(line).collect()
}
