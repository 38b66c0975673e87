#![allow(clippy::unwrap_used)]
use super::*;
use crate::encoder;

fn names(constraints: &[Constraint]) -> Vec<&'static str> {
    let found = recommend(constraints, &|_| false);
    found.iter().map(|advice| advice.model.name).collect()
}

const ALL: [Constraint; 5] = [
    Constraint::LimitedCompute,
    Constraint::LimitedMemory,
    Constraint::BestQuality,
    Constraint::Multilingual,
    Constraint::LongDocuments,
];

#[test]
fn every_constraint_has_candidates_with_a_reason_and_a_source() {
    for constraint in ALL {
        let found = recommend(&[constraint], &|_| false);
        assert!((1..=3).contains(&found.len()), "{constraint:?}");
        for advice in &found {
            assert!(
                !advice.why.is_empty() && !advice.costs.is_empty(),
                "{advice:?}"
            );
            for statement in advice.why.iter().chain(&advice.costs) {
                let figures = statement.text.contains(|c: char| c.is_ascii_digit());
                let named = statement.text.contains("nDCG@10") || figures;
                assert!(!named || !statement.sources.is_empty(), "{statement:?}");
            }
        }
    }
}

#[test]
fn candidates_are_the_extremes_that_the_constraint_asks_for() {
    let least = |value: fn(&KnownModel) -> Option<f64>| {
        let values = KNOWN.iter().filter_map(value);
        values.fold(f64::MAX, f64::min)
    };
    let first = |constraint| recommend(&[constraint], &|_| false)[0].model;
    let computed = first(Constraint::LimitedCompute).computed().unwrap();
    assert!(computed <= EQUAL * least(KnownModel::computed));
    let parameters = first(Constraint::LimitedMemory).parameters.unwrap().value;
    assert!(parameters <= EQUAL * least(|model| Some(model.parameters?.value)));
    let retrieval = -first(Constraint::BestQuality).retrieval.unwrap().value;
    assert!(retrieval <= least(|model| Some(-model.retrieval?.value)));
    for name in names(&[Constraint::Multilingual]) {
        assert!(KnownModel::named(name).unwrap().is_multilingual());
    }
}

#[test]
fn several_constraints_hold_together() {
    for name in names(&[Constraint::Multilingual, Constraint::LongDocuments]) {
        let model = KnownModel::named(name).unwrap();
        assert!(model.is_multilingual() && model.max_tokens.unwrap().value >= LONG);
    }
    let small = names(&[Constraint::Multilingual, Constraint::LimitedCompute]);
    assert_eq!(small[0], "intfloat/multilingual-e5-small", "{small:?}");
    // Not the best, which is the largest, but the best of the small ones.
    let both = names(&[Constraint::LimitedMemory, Constraint::BestQuality]);
    assert_eq!(both[0], "Snowflake/snowflake-arctic-embed-xs", "{both:?}");
}

#[test]
fn a_refused_model_is_passed_over() {
    let first = names(&[Constraint::BestQuality])[0];
    let without = recommend(&[Constraint::BestQuality], &|model| model.name == first);
    assert!(without.iter().all(|advice| advice.model.name != first));
    assert_eq!(without.len(), 3);
}

#[test]
fn facts_are_sound() {
    for (place, model) in KNOWN.iter().enumerate() {
        assert!(KNOWN[..place].iter().all(|other| other.name != model.name));
        assert!(encoder::is_supported(model.family.value), "{}", model.name);
        assert!(
            model.computed().is_none_or(|millions| millions > 1.0),
            "{}",
            model.name
        );
        assert!(
            model
                .retrieval
                .is_none_or(|fact| (30.0..70.0).contains(&fact.value))
        );
        assert!(
            model
                .prompts
                .is_none_or(|fact| !fact.value.query.is_empty())
        );
    }
    assert!(KnownModel::named(DEFAULT_MODEL).unwrap().compared);
}
