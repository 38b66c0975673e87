//! Candidates for a purpose, drawn from the facts by rule, with reasons and with what they cost.

use std::cmp::Ordering;

use serde::Serialize;

use super::{Fact, KNOWN, KnownModel, Languages, Source};
use crate::models::DEFAULT_MODEL;

/// What a choice has to respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constraint {
    /// As little as possible to compute for each token.
    LimitedCompute,
    /// As little memory as possible.
    LimitedMemory,
    /// The best ranking that is published.
    BestQuality,
    /// Documents in other languages than English.
    Multilingual,
    /// Passages longer than [`LONG`] tokens.
    LongDocuments,
}

/// Models that read so many tokens at once are for long documents.
pub const LONG: usize = 2048;
/// At most so many candidates.
const CANDIDATES: usize = 3;
/// Values this close count as equal.
const EQUAL: f64 = 1.05;

/// A sentence, and where its figures come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    /// What is said.
    pub text: String,
    /// Who says so; empty where it follows from the model's name alone.
    pub sources: Vec<Source>,
}

/// A candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// What is known of it.
    #[serde(flatten)]
    pub model: &'static KnownModel,
    /// Why it is one.
    pub why: Vec<Statement>,
    /// What has to be put up with.
    pub costs: Vec<Statement>,
}

impl Constraint {
    /// Whether a model may be chosen at all.
    fn admits(self, model: &KnownModel) -> bool {
        match self {
            Constraint::LimitedCompute | Constraint::LimitedMemory => model.parameters.is_some(),
            Constraint::BestQuality => model.retrieval.is_some(),
            Constraint::Multilingual => model.is_multilingual(),
            Constraint::LongDocuments => model.max_tokens.is_some_and(|fact| fact.value >= LONG),
        }
    }

    /// What the constraint asks to be small, for those that order models.
    fn burden(self, model: &KnownModel) -> Option<f64> {
        match self {
            Constraint::LimitedCompute => model.computed(),
            Constraint::LimitedMemory => Some(model.parameters?.value),
            Constraint::BestQuality => Some(-model.retrieval?.value),
            Constraint::Multilingual | Constraint::LongDocuments => None,
        }
    }

    /// Whether the facts let one expect that `a` does better by this constraint than `b`; `None` where they
    /// say nothing.
    pub fn prefers(self, a: &KnownModel, b: &KnownModel) -> Option<bool> {
        Some(is_less(self.burden(a)?, self.burden(b)?))
    }
}

/// Candidates that respect all of `constraints`, at most three, the best first. Models for which `refused`
/// holds are passed over.
///
/// Constraints on languages and length leave models out. The others order those that are left, values within
/// 5 % being equal, and the places are added. Of equals the one that is published to rank better comes
/// first, then the earlier of [`KNOWN`].
pub fn recommend(constraints: &[Constraint], refused: &dyn Fn(&KnownModel) -> bool) -> Vec<Advice> {
    let admitted = |model: &&'static KnownModel| {
        constraints
            .iter()
            .all(|constraint| constraint.admits(model))
            && !refused(model)
    };
    let mut models: Vec<&'static KnownModel> = KNOWN.iter().filter(admitted).collect();
    let orders = constraints.iter().any(|c| c.burden(&KNOWN[0]).is_some());
    if orders {
        let places = places(constraints, &models);
        let mut placed: Vec<_> = places.into_iter().zip(models).collect();
        placed.sort_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| by_retrieval(x, y)));
        models = placed.into_iter().map(|(_, model)| model).collect();
    }
    let best = models
        .iter()
        .filter_map(|model| Some((*model, model.retrieval?)))
        .max_by(|a, b| a.1.value.total_cmp(&b.1.value));
    let candidates = models.iter().take(CANDIDATES);
    candidates
        .map(|model| Advice {
            model,
            why: reasons(model, constraints),
            costs: costs(model, constraints, best),
        })
        .collect()
}

/// The better ranking first, unknown ones last.
fn by_retrieval(a: &KnownModel, b: &KnownModel) -> Ordering {
    let value = |model: &KnownModel| model.retrieval.map_or(f64::MIN, |fact| fact.value);
    value(b).total_cmp(&value(a))
}

fn is_less(a: f64, b: f64) -> bool {
    match a < 0.0 {
        // Points of a ranking, turned round: every one counts.
        true => a < b,
        false => a * EQUAL < b,
    }
}

/// The sum of each model's places in the orders of the constraints, of which the first is 0 and the last 1:
/// one constraint weighs as much as another, however finely it tells models apart.
fn places(constraints: &[Constraint], models: &[&KnownModel]) -> Vec<f64> {
    let mut sums = vec![0.0; models.len()];
    for constraint in constraints {
        let burden = |index: usize| constraint.burden(models[index]).unwrap_or(0.0);
        let mut order: Vec<usize> = (0..models.len()).collect();
        order.sort_by(|&a, &b| burden(a).total_cmp(&burden(b)));
        // Equals share a place.
        let groups: Vec<&[usize]> = {
            let mut rest = order.as_slice();
            let mut groups = Vec::new();
            while let Some(&first) = rest.first() {
                let equals = rest
                    .iter()
                    .take_while(|&&index| !is_less(burden(first), burden(index)));
                let (group, others) = rest.split_at(equals.count());
                groups.push(group);
                rest = others;
            }
            groups
        };
        let last = groups.len().saturating_sub(1).max(1) as f64;
        for (place, group) in groups.into_iter().enumerate() {
            for &index in group {
                sums[index] += place as f64 / last;
            }
        }
    }
    sums
}

fn statement(text: String, sources: &[Source]) -> Statement {
    let mut distinct: Vec<Source> = Vec::new();
    for source in sources {
        if !distinct.contains(source) {
            distinct.push(*source);
        }
    }
    Statement {
        text,
        sources: distinct,
    }
}

fn reasons(model: &KnownModel, constraints: &[Constraint]) -> Vec<Statement> {
    let mut why: Vec<Statement> = constraints
        .iter()
        .filter_map(|constraint| reason(model, *constraint))
        .collect();
    if let Some(purpose) = model.purpose {
        why.push(statement(purpose.value.to_owned(), &[purpose.source]));
    }
    if model.name == DEFAULT_MODEL {
        let text = "the default: it needs no choice, and most has been measured with it";
        why.push(statement(text.to_owned(), &[Source::Project]));
    }
    why
}

fn reason(model: &KnownModel, constraint: Constraint) -> Option<Statement> {
    Some(match constraint {
        Constraint::LimitedCompute => computing(model)?,
        Constraint::LimitedMemory => {
            let parameters = model.parameters?;
            // Four bytes each.
            let mebibytes = parameters.value * 4e6 / f64::from(1 << 20);
            let text = format!(
                "{} million parameters: {mebibytes:.0} MiB once loaded in f32, up to twice that while loading",
                parameters.value
            );
            statement(text, &[parameters.source])
        }
        Constraint::BestQuality => {
            let retrieval = model.retrieval?;
            let text = format!(
                "nDCG@10 of {:.2} on the retrieval collections of MTEB",
                retrieval.value
            );
            statement(text, &[retrieval.source])
        }
        Constraint::Multilingual => match model.languages.value {
            Languages::English => return None,
            Languages::Many(how_many) => statement(
                format!("trained on {how_many} languages"),
                &[model.languages.source],
            ),
        },
        Constraint::LongDocuments => {
            let tokens = model.max_tokens?;
            let text = format!("reads {} tokens at once", tokens.value);
            statement(text, &[tokens.source])
        }
    })
}

fn computing(model: &KnownModel) -> Option<Statement> {
    let parameters = model.parameters?;
    Some(match model.embedding_parameters {
        Some(embedded) => statement(
            format!(
                "every token is computed with {:.1} of its {} million parameters; the others are embeddings",
                parameters.value - embedded.value,
                parameters.value
            ),
            &[parameters.source, embedded.source],
        ),
        None => statement(
            format!(
                "{} million parameters, embeddings included",
                parameters.value
            ),
            &[parameters.source],
        ),
    })
}

fn costs(
    model: &KnownModel,
    constraints: &[Constraint],
    best: Option<(&KnownModel, Fact<f64>)>,
) -> Vec<Statement> {
    let mut costs = Vec::new();
    if let Some(prompts) = model.prompts {
        let passage = match prompts.value.passage {
            "" => String::new(),
            passage => format!(", and before a passage {passage:?}"),
        };
        let text = format!("wants before a question {:?}{passage}", prompts.value.query);
        costs.push(statement(text, &[prompts.source]));
    }
    costs.extend(ranking(model, best));
    if !model.is_multilingual() {
        costs.push(statement("English only".into(), &[model.languages.source]));
    }
    if let Some(tokens) = model.max_tokens.filter(|fact| fact.value <= 256) {
        let text = format!("reads {} tokens at once: passages are short", tokens.value);
        costs.push(statement(text, &[tokens.source]));
    }
    if constraints.contains(&Constraint::LongDocuments) {
        let text =
            "a hit points at a passage as long as that; attention costs more the longer it is";
        costs.push(statement(text.into(), &[Source::Project]));
    }
    if model.family.value == "modernbert" {
        let text = "ModernBERT has no fast path here yet: slower than its size tells";
        costs.push(statement(text.into(), &[Source::Project]));
    }
    costs.extend(heavier(model));
    if !model.compared {
        let text = "its family is checked against transformers, this very model is not";
        costs.push(statement(text.into(), &[Source::Project]));
    }
    costs
}

/// How it ranks beside the best of those that come into question.
fn ranking(model: &KnownModel, best: Option<(&KnownModel, Fact<f64>)>) -> Option<Statement> {
    let (best, highest) = best?;
    let Some(own) = model.retrieval else {
        let text = "no figure of its ranking on the retrieval collections of MTEB is at hand";
        return Some(statement(text.into(), &[]));
    };
    (own.value < highest.value).then(|| {
        let text = format!(
            "ranks behind {}: nDCG@10 of {:.2} and {:.2} on the retrieval collections of MTEB",
            best.name, own.value, highest.value
        );
        statement(text, &[own.source, highest.source])
    })
}

/// How much more than the default it computes.
fn heavier(model: &KnownModel) -> Option<Statement> {
    let default = KnownModel::named(DEFAULT_MODEL)?;
    let times = model.computed()? / default.computed()?;
    let sources: Vec<Source> = [model, default]
        .iter()
        .flat_map(|model| [model.parameters, model.embedding_parameters])
        .flatten()
        .map(|fact| fact.source)
        .collect();
    (times >= 1.5).then(|| {
        let bound = match model.embedding_parameters {
            Some(_) => "",
            None => "up to ",
        };
        statement(
            format!("{bound}{times:.0} times as many parameters to compute with as the default"),
            &sources,
        )
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
