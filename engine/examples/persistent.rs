//! An index in a folder: add, replace, delete, open again.
//! `cargo run --example persistent -p kenning -- /tmp/some-folder`

use std::path::PathBuf;
use std::sync::Arc;

use kenning::encoder::Encoder;
use kenning::models::{DEFAULT_MODEL, ModelStore};
use kenning::{Document, Index, SearchRequest};

fn main() -> kenning::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or("kenning-example".into()));
    let store = ModelStore::from_env()?;
    let encoder = Encoder::load(DEFAULT_MODEL, &store, &Default::default(), &mut |_| {})?;
    let index = if Index::exists(&folder) {
        Index::open(&folder)?
    } else {
        Index::create(&folder, encoder.spec())?
    };
    // Refused unless it is the encoder that the index was built with.
    let index = index.with_encoder(Arc::new(encoder))?;

    let mut writer = index.writer()?;
    writer.upsert(Document::new(
        "tea",
        "Green tea is steamed soon after picking.",
    ))?;
    writer.upsert(Document::new(
        "coffee",
        "Coffee is roasted until the beans crack.",
    ))?;
    writer.commit()?;

    // The same id replaces; a delete and an upsert become visible together.
    writer.upsert(Document::new(
        "tea",
        "Black tea is left to oxidise before it is dried.",
    ))?;
    writer.delete("coffee")?;
    let generation = writer.commit()?;

    let response = index.search(&SearchRequest::new("how is a hot drink made"))?;
    println!(
        "generation {generation}: {} documents",
        response.plan.documents
    );
    for hit in response.hits {
        println!("{}: {}", hit.id, hit.passages[0].text);
    }
    Ok(())
}
