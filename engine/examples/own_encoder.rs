//! An encoder from a folder in the layout of Hugging Face, and what decides its vectors.
//! `cargo run --example own_encoder -p kenning -- path/to/model`

use std::path::Path;

use kenning::encoder::{Encoder, EncoderOptions, Pooling};

fn main() -> kenning::Result<()> {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: own_encoder MODEL-FOLDER");
        return Ok(());
    };
    // What the folder says, and then with another pooling.
    for pooling in [None, Some(Pooling::Cls)] {
        let options = EncoderOptions {
            pooling,
            ..EncoderOptions::default()
        };
        let encoder = Encoder::open(Path::new(&folder), &options)?;
        let spec = encoder.spec();
        println!(
            "{} ({}): {} dimensions, {} tokens at once, {:?} pooling, fingerprint {}",
            spec.model,
            spec.architecture,
            spec.dimension,
            spec.max_tokens,
            spec.pooling,
            &spec.fingerprint()[..12]
        );
    }
    Ok(())
}
