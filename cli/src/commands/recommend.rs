//! `kenning models recommend`: candidates for a purpose, with reasons and their sources.

use kenning::models::ModelStore;
use kenning::models::known::{Advice, Constraint, KnownModel, Source, Statement, recommend};
use kenning_datasets::measured::{Criterion, Measurement, Measurements, Surprise, surprises};
use serde::Serialize;

use crate::args::ConstraintArg;
use crate::failure::{Failure, Outcome, Result};
use crate::progress::bytes;
use crate::terminal::{one_line, print, print_json, say};

/// The answer.
#[derive(Serialize)]
struct Answer<'a> {
    constraints: &'a [Constraint],
    candidates: Vec<Candidate>,
    /// What was measured on this machine and comes into question.
    measured: Vec<Measurement>,
    /// Where that contradicts the reasons.
    surprises: Vec<Surprise>,
    /// Known models on this machine that cannot be loaded, and why.
    refused: Vec<Refused>,
    sources: Vec<Cited>,
}

#[derive(Serialize)]
struct Candidate {
    #[serde(flatten)]
    advice: Advice,
    commands: Vec<String>,
}

#[derive(Serialize)]
struct Refused {
    name: String,
    problem: String,
}

#[derive(Serialize)]
struct Cited {
    mark: &'static str,
    source: &'static str,
}

pub fn run(store: &ModelStore, constraints: &[ConstraintArg], json: bool) -> Result {
    let mut wanted: Vec<Constraint> = Vec::new();
    for constraint in constraints {
        let constraint = Constraint::from(*constraint);
        if !wanted.contains(&constraint) {
            wanted.push(constraint);
        }
    }
    let answer = answer(store, &wanted)?;
    if json {
        print_json(&answer)?;
    } else {
        print(&text(&answer))?;
    }
    if answer.candidates.is_empty() {
        say("no model that is known here respects all of these constraints");
        say(
            "hint: leave one out; any model of the families that Kenning runs can be named with --model",
        );
        return Ok(Outcome::Nothing);
    }
    Ok(Outcome::Done)
}

fn answer<'a>(store: &ModelStore, constraints: &'a [Constraint]) -> Result<Answer<'a>> {
    let refused: Vec<Refused> = store
        .list()
        .map_err(Failure::from)?
        .into_iter()
        .filter(|model| KnownModel::named(&model.name).is_some())
        .filter_map(|model| {
            let (name, problem) = (model.name, model.problem?);
            Some(Refused { name, problem })
        })
        .collect();
    let is_refused = |model: &KnownModel| refused.iter().any(|other| other.name == model.name);
    let candidates: Vec<Candidate> = recommend(constraints, &is_refused)
        .into_iter()
        .map(|advice| Candidate {
            commands: commands(advice.model),
            advice,
        })
        .collect();
    let rows = measured(store).rows;
    let surprises = constraints
        .iter()
        .flat_map(|constraint| surprises(*constraint, &rows))
        .filter(|surprise| concerns(surprise, &candidates))
        .collect();
    Ok(Answer {
        constraints,
        sources: sources(&candidates),
        measured: rows
            .into_iter()
            .filter(|row| comes_into_question(row, constraints))
            .collect(),
        surprises,
        candidates,
        refused,
    })
}

/// What is kept; that it is damaged is told.
pub fn measured(store: &ModelStore) -> Measurements {
    Measurements::read(&store.cache).unwrap_or_else(|error| {
        say(&format!("note: {error}"));
        if let Some(hint) = error.hint() {
            say(&format!("hint: {hint}"));
        }
        Measurements::default()
    })
}

/// Whether one of the two is a candidate.
fn concerns(surprise: &Surprise, candidates: &[Candidate]) -> bool {
    let is = |name: &str| {
        candidates
            .iter()
            .any(|candidate| candidate.advice.model.name == name)
    };
    is(&surprise.expected) || is(&surprise.found)
}

/// Whether a measured model, also one that is not well known, respects what can be known of it.
fn comes_into_question(row: &Measurement, constraints: &[Constraint]) -> bool {
    let known = KnownModel::named(&row.model);
    constraints.iter().all(|constraint| match constraint {
        Constraint::Multilingual => known.is_none_or(KnownModel::is_multilingual),
        Constraint::LongDocuments => row.max_tokens >= kenning::models::known::LONG,
        Constraint::LimitedCompute | Constraint::LimitedMemory | Constraint::BestQuality => true,
    })
}

/// What to type.
fn commands(model: &KnownModel) -> Vec<String> {
    let mut index = format!("kenning index --model {}", model.name);
    if let Some(prompts) = model.prompts {
        // None of the known prompts holds a quote.
        index += &format!(" --query-prompt '{}'", prompts.value.query);
        if !prompts.value.passage.is_empty() {
            index += &format!(" --passage-prompt '{}'", prompts.value.passage);
        }
    }
    vec![format!("kenning models pull {}", model.name), index]
}

/// The sources of what is said, each once.
fn sources(candidates: &[Candidate]) -> Vec<Cited> {
    let said = candidates
        .iter()
        .flat_map(|candidate| candidate.advice.why.iter().chain(&candidate.advice.costs));
    let cited: Vec<Source> = said.flat_map(|said| said.sources.clone()).collect();
    let sources = Source::ALL
        .into_iter()
        .filter(|source| cited.contains(source));
    sources
        .map(|source| Cited {
            mark: source.mark(),
            source: source.describe(),
        })
        .collect()
}

fn text(answer: &Answer) -> String {
    let mut text = String::new();
    for (place, candidate) in answer.candidates.iter().enumerate() {
        text += &format!("{}. {}\n", place + 1, candidate.advice.model.name);
        for (label, said) in [
            ("why", &candidate.advice.why),
            ("but", &candidate.advice.costs),
        ] {
            for (place, statement) in said.iter().enumerate() {
                let label = if place == 0 { label } else { "" };
                text += &format!("   {label:<4} {}\n", sentence(statement));
            }
        }
        for (place, command) in candidate.commands.iter().enumerate() {
            let label = if place == 0 { "use" } else { "" };
            text += &format!("   {label:<4} {command}\n");
        }
        text.push('\n');
    }
    if answer
        .candidates
        .iter()
        .any(|candidate| candidate.advice.model.prompts.is_some())
    {
        text += "Prompts: where a model's folder names its prompts, Kenning takes them and the flags change nothing;\n\
                 where it does not, as those of E5 and BGE, they are needed. An index remembers them.\n\n";
    }
    text += &measurements(answer);
    for refused in &answer.refused {
        text += &format!(
            "passed over: {}, which is here and cannot be loaded: {}\n",
            refused.name,
            one_line(&refused.problem)
        );
    }
    for cited in &answer.sources {
        text += &format!("[{}] {}\n", cited.mark, cited.source);
    }
    text
}

fn sentence(statement: &Statement) -> String {
    let marks = statement.sources.iter().map(|source| source.mark());
    let marks: Vec<&str> = marks.collect();
    match marks.is_empty() {
        true => statement.text.clone(),
        false => format!("{} [{}]", statement.text, marks.join(", ")),
    }
}

fn measurements(answer: &Answer) -> String {
    let rows = &answer.measured;
    if rows.is_empty() {
        return "Nothing of this is measured on this machine: `kenning models compare NAME NAME --on COLLECTION` does.\n\n"
            .to_owned();
    }
    let name = |row: &Measurement| match row.plain {
        true => one_line(&row.model),
        // Such a row says nothing of the model as it should be used.
        false => format!("{} (other settings, {})", one_line(&row.model), row.pooling),
    };
    let width = rows.iter().map(|row| name(row).chars().count()).max();
    let width = width.unwrap_or(0).max("measured here".len());
    let mut text = format!(
        "{:width$}  {:>9}  {:>11}  {:>10}  {:>7}  {:<10}  nDCG@10 by meaning\n",
        "measured here", "tokens/s", "question", "memory", "threads", "on"
    );
    for row in rows {
        let quality = row.quality.iter().map(|(collection, quality)| {
            format!("{} {:.4}", one_line(collection), quality.semantic)
        });
        text += &format!(
            "{:width$}  {:>9.0}  {:>8.2} ms  {:>10}  {:>7}  {:<10}  {}\n",
            name(row),
            row.speed.tokens_per_second,
            row.speed.question_ms,
            row.memory_bytes.map_or("unknown".to_owned(), bytes),
            row.threads,
            one_line(row.date.get(..10).unwrap_or(&row.date)),
            quality.collect::<Vec<_>>().join(", "),
        );
    }
    for surprise in &answer.surprises {
        let by = match &surprise.by {
            Criterion::Speed => "is faster here than".to_owned(),
            Criterion::Memory => "takes less memory here than".to_owned(),
            Criterion::Quality(collection) => {
                format!("ranks better on {} here than", one_line(collection))
            }
        };
        text += &format!(
            "against expectation: {} {by} {}\n",
            one_line(&surprise.found),
            one_line(&surprise.expected)
        );
    }
    text.push('\n');
    text
}
