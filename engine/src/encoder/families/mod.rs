//! The families of models, one file each: what a family's paper changed, its settings, its weights.

mod albert;
mod bert;
mod deberta;
mod deberta_settings;
mod distilbert;
mod electra;
mod gte;
mod jina;
mod modernbert;
mod mpnet;
mod nomic;
mod nomic_settings;
mod roberta;

use super::architecture::Reader;

/// `model_type` and the reader of its settings.
pub(super) const FAMILIES: [(&str, Reader); 14] = [
    ("bert", bert::read),
    ("roberta", |path, config| {
        roberta::read("roberta", path, config)
    }),
    ("xlm-roberta", |path, config| {
        roberta::read("xlm-roberta", path, config)
    }),
    ("camembert", |path, config| {
        roberta::read("camembert", path, config)
    }),
    ("electra", electra::read),
    ("distilbert", distilbert::read),
    ("albert", albert::read),
    ("mpnet", mpnet::read),
    ("deberta", |path, config| {
        deberta::read(deberta::Version::One, path, config)
    }),
    ("deberta-v2", |path, config| {
        deberta::read(deberta::Version::Two, path, config)
    }),
    ("modernbert", modernbert::read),
    ("nomic_bert", nomic_settings::read),
    ("new", |path, config| gte::read(&gte::NEW, path, config)),
    ("gte", |path, config| gte::read(&gte::GTE, path, config)),
];
