//! The families of models, one file each: what a family's paper changed, its settings, its weights.

mod albert;
mod bert;
mod deberta;
mod deberta_settings;
mod distilbert;
mod electra;
mod modernbert;
mod mpnet;
mod roberta;

use super::architecture::Reader;

/// `model_type` and the reader of its settings.
pub(super) const FAMILIES: [(&str, Reader); 11] = [
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
];
