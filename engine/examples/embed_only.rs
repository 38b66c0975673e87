//! Texts to vectors, without an index: `cargo run --example embed_only -p kenning`

use kenning::encoder::{Encoder, Role};
use kenning::models::{DEFAULT_MODEL, ModelStore};

fn main() -> kenning::Result<()> {
    let store = ModelStore::from_env()?;
    let encoder = Encoder::load(DEFAULT_MODEL, &store, &Default::default(), &mut |_| {})?;
    let texts = [
        "A ship on the sea.",
        "A boat on the ocean.",
        "A loaf in the oven.",
    ];
    let encoded = encoder.encode(Role::Passage, &texts)?;
    for (text, a) in texts.iter().zip(&encoded) {
        let cosines = encoded.iter().map(|b| {
            let pairs = a.embedding.iter().zip(&b.embedding);
            format!("{:.3}", pairs.map(|(x, y)| x * y).sum::<f32>())
        });
        println!("{text:24} {}", cosines.collect::<Vec<_>>().join("  "));
    }
    Ok(())
}
