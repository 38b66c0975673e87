//! Metadata and filters: `cargo run --example filters -p kenning`

use std::sync::Arc;

use kenning::encoder::Encoder;
use kenning::models::{DEFAULT_MODEL, ModelStore};
use kenning::{Document, Filter, Index, SearchRequest};

fn main() -> kenning::Result<()> {
    let store = ModelStore::from_env()?;
    let encoder = Encoder::load(DEFAULT_MODEL, &store, &Default::default(), &mut |_| {})?;
    let index = Index::in_memory(encoder.spec())?.with_encoder(Arc::new(encoder))?;
    let mut writer = index.writer()?;
    for (id, text, year, kind) in [
        (
            "letters/a.md",
            "The roof leaks above the kitchen.",
            2019,
            "letter",
        ),
        (
            "letters/b.md",
            "The roof was mended with slate.",
            2023,
            "letter",
        ),
        (
            "bills/c.md",
            "Slates and labour for the roof.",
            2023,
            "bill",
        ),
    ] {
        writer.upsert(
            Document::new(id, text)
                .with("year", year)
                .with("kind", kind),
        )?;
    }
    writer.commit()?;
    for filter in [
        "year>=2020",
        "kind=letter and not year<2020",
        "path:letters/**",
        "kind:b*",
    ] {
        let request =
            SearchRequest::new("what happened to the roof").with_filter(Filter::parse(filter)?);
        let hits = index.search(&request)?.hits;
        let ids: Vec<&str> = hits.iter().map(|hit| hit.id.as_str()).collect();
        println!("{filter:32} {}", ids.join(", "));
    }
    Ok(())
}
