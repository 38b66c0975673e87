//! Search a few texts, all in memory: `cargo run --example in_memory -p kenning -- how do plants eat`

use std::sync::Arc;

use kenning::encoder::Encoder;
use kenning::models::{DEFAULT_MODEL, ModelStore};
use kenning::{Document, Index, SearchRequest};

fn main() -> kenning::Result<()> {
    let mut question: Vec<String> = std::env::args().skip(1).collect();
    if question.is_empty() {
        question.push("how do plants eat?".to_owned());
    }
    let store = ModelStore::from_env()?;
    let encoder = Encoder::load(DEFAULT_MODEL, &store, &Default::default(), &mut |_| {})?;
    let index = Index::in_memory(encoder.spec())?.with_encoder(Arc::new(encoder))?;
    let mut writer = index.writer()?;
    for (id, text) in [
        (
            "leaf",
            "Chlorophyll catches sunlight and turns air and water into sugar.",
        ),
        (
            "loaf",
            "Yeast turns the sugar in dough into gas, and the loaf rises.",
        ),
        (
            "star",
            "A star shines because hydrogen fuses to helium in its core.",
        ),
    ] {
        writer.upsert(Document::new(id, text))?;
    }
    writer.commit()?;
    for hit in index.search(&SearchRequest::new(question.join(" ")))?.hits {
        println!("{:.3}  {}  {}", hit.score, hit.id, hit.passages[0].snippet);
    }
    Ok(())
}
