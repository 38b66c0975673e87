//! A case: a model, what is done to it, and what must hold then.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kenning::encoder::{Encoder, EncoderOptions, ModelError, Role};
use serde_json::json;

use super::bases::{Files, bases, json_of};
use super::noise::Noise;
use super::{edits, memory, tensors, tokens};

/// Longer than this no case may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than this none may hold.
const MEMORY: usize = 1 << 30;

/// The case that runs, since when.
static CURRENT: Mutex<Option<(Instant, String)>> = Mutex::new(None);
/// Where the last panic was.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Runs the cases with these numbers.
pub fn run(cases: Range<u64>, notes: &Path) {
    let bases = bases();
    let mut vectors = BTreeMap::new();
    std::thread::spawn(watch);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        *PANIC.lock().unwrap() = info.to_string().replace('\n', " ");
        // Between cases it is the test that fails.
        if CURRENT.lock().unwrap().is_none() {
            before(info);
        }
    }));
    memory::allow(MEMORY);
    let (mut opened, mut refused) = (0_u64, 0_u64);
    for number in cases.clone() {
        let mut noise = Noise::new(number);
        let (name, base) = noise.pick(&bases);
        fs::write(notes.join("current"), format!("{number} {name}")).unwrap();
        let (files, harmless, edits) = spoilt(base, &mut noise);
        let label = format!("{number} {name}: {edits}");
        fs::write(notes.join("current"), &label).unwrap();
        *CURRENT.lock().unwrap() = Some((Instant::now(), label.clone()));
        let folder = tempfile::tempdir().unwrap();
        write(&files, folder.path());
        let long = !harmless && noise.one_in(4);
        let found = catch_unwind(AssertUnwindSafe(|| {
            let found = check(folder.path(), long, &mut noise)?;
            if let Some(found) = &found {
                opened += 1;
                if harmless
                    && found
                        != vectors
                            .entry(name.clone())
                            .or_insert_with(|| untouched(base))
                {
                    return Err("the vectors are others".to_owned());
                }
            } else if harmless {
                return Err("it is refused".to_owned());
            } else {
                refused += 1;
            }
            Ok(())
        }));
        *CURRENT.lock().unwrap() = None;
        let trouble = match found {
            Ok(Ok(())) => continue,
            Ok(Err(trouble)) => trouble,
            Err(_) => PANIC.lock().unwrap().clone(),
        };
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(notes.join("troubles"))
            .unwrap();
        writeln!(file, "{label}: {}", trouble.replace('\n', "⏎")).unwrap();
        if let Some(keep) = std::env::var_os("KENNING_FUZZ_KEEP") {
            write(&files, &Path::new(&keep).join(number.to_string()));
        }
    }
    let done = format!("cases {cases:?}: {opened} opened, {refused} were refused");
    fs::write(notes.join("done"), done).unwrap();
}

/// Ends the process when a case takes too long.
fn watch() {
    loop {
        std::thread::sleep(Duration::from_millis(200));
        if let Some((since, label)) = &*CURRENT.lock().unwrap()
            && since.elapsed() > PATIENCE
        {
            eprintln!("TOO SLOW {label}");
            std::process::abort();
        }
    }
}

pub fn write(files: &Files, folder: &Path) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// A spoilt copy; whether nothing that counts was changed; what was done.
fn spoilt(base: &Files, noise: &mut Noise) -> (Files, bool, String) {
    let mut files = base.clone();
    if files.contains_key("tokenizer.json") && noise.one_in(20) {
        let mut json = json_of(&files, "tokenizer.json");
        json["truncation"] = json!({ "direction": noise.pick(&["Left", "Right"]), "max_length": noise.below(9), "strategy": "LongestFirst", "stride": 0 });
        json["padding"] = json!({ "strategy": { "Fixed": noise.below(300) }, "direction": noise.pick(&["Left", "Right"]), "pad_to_multiple_of": 1 + noise.below(64), "pad_id": noise.below(500), "pad_type_id": noise.below(3), "pad_token": "x" });
        files.insert("tokenizer.json".into(), json.to_string().into_bytes());
        return (files, true, "truncation and padding".into());
    }
    let names: Vec<String> = files.keys().cloned().collect();
    let mut done = Vec::new();
    for _ in 0..1 + noise.below(3) {
        // The files with most in them more often.
        let name = match noise.below(4) {
            0 if names.iter().any(|name| name == "tokenizer.json") => "tokenizer.json",
            1 => "config.json",
            _ => noise.pick(&names),
        };
        let what = spoil(name, files.get_mut(name).unwrap(), noise);
        done.push(format!("{name} {what}"));
        if noise.one_in(100) {
            files.remove(name);
            done.push("file removed".into());
            break;
        }
    }
    (files, false, done.join("; "))
}

fn spoil(name: &str, file: &mut Vec<u8>, noise: &mut Noise) -> String {
    if name.ends_with(".safetensors") && !noise.one_in(5) {
        return tensors::spoil(file, noise);
    }
    if name.ends_with(".txt") || noise.one_in(4) {
        return edits::bytes(file, noise);
    }
    let Ok(mut json) = serde_json::from_slice::<serde_json::Value>(file) else {
        return edits::bytes(file, noise);
    };
    let done = match name {
        "tokenizer.json" if !noise.one_in(3) => tokens::spoil(&mut json, noise),
        "config.json" if noise.one_in(12) => {
            let families = [
                "bert",
                "roberta",
                "xlm-roberta",
                "electra",
                "distilbert",
                "albert",
                "mpnet",
                "deberta",
                "deberta-v2",
                "modernbert",
                "gpt2",
            ];
            json["model_type"] = json!(noise.pick(&families));
            format!("model_type {}", json["model_type"])
        }
        _ => edits::value(&mut json, noise),
    };
    *file = edits::text(&json, noise);
    done.chars().take(500).collect()
}

fn texts() -> Vec<String> {
    let texts = [
        "",
        "the quick brown fox",
        "a",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
        "  \t\r\n\u{0} \u{a0}\u{2028} ",
        "Café naïve ÜBER 日本語 🦀👩‍👩‍👧‍👦 e\u{301}t\u{0}é ﬁn İ ﷺ ẞ \u{200f}\u{feff}\u{fffd}\u{10ffff}",
        "[CLS] <s> [MASK] <mask> [SEP] </s> [PAD] <pad> [UNK] <unk>",
    ];
    texts.map(str::to_owned).to_vec()
}

/// 100 kB of one kind or another.
fn long_text(noise: &mut Noise) -> String {
    let part = noise.pick(&[
        "search the sea. ",
        "a",
        " ",
        "xxxxxxxxxxxxxxx ",
        "日本",
        "e\u{301}",
        "1234567 ",
        "\n",
        "[CLS]",
        "aaaaaaaaaaaaaaaaaaaaaaaaa!",
    ]);
    part.repeat(100_000 / part.len())
}

pub fn open(folder: &Path) -> kenning::Result<Encoder> {
    let options = EncoderOptions {
        threads: Some(1),
        ..EncoderOptions::default()
    };
    Encoder::open(folder, &options)
}

/// What the model gives before anything is done to it.
fn untouched(base: &Files) -> Vec<Vec<f32>> {
    let folder = tempfile::tempdir().unwrap();
    write(base, folder.path());
    check(folder.path(), false, &mut Noise::new(0))
        .unwrap()
        .unwrap()
}

/// The vectors of the texts, if the model opens and encodes; none if it says why not. The error is what is
/// wrong with either.
fn check(folder: &Path, long: bool, noise: &mut Noise) -> Result<Option<Vec<Vec<f32>>>, String> {
    let encoder = match open(folder) {
        Ok(encoder) => encoder,
        Err(error) => return refused(&error, folder).map(|()| None),
    };
    if noise.one_in(8)
        && let Err(error) = kenning::models::inspect(folder)
    {
        refused(&error, folder)?;
    }
    let mut texts = texts();
    if long {
        texts.push(long_text(noise));
    }
    for text in &texts {
        let tokens = match encoder.tokenize(text) {
            Ok(tokens) => tokens,
            Err(error) => return refused(&error, folder).map(|()| None),
        };
        let within = |&(start, end): &(usize, usize)| {
            start <= end && text.is_char_boundary(start) && text.is_char_boundary(end)
        };
        if tokens.ids.len() != tokens.offsets.len()
            || !tokens.offsets.is_sorted_by_key(|(start, _)| start)
            || !tokens.offsets.iter().all(within)
        {
            return Err("offsets are not in order".into());
        }
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let found = match encoder.encode(Role::Passage, &texts) {
        Ok(found) => found,
        Err(error) => return refused(&error, folder).map(|()| None),
    };
    let dimension = encoder.spec().dimension;
    for (found, text) in found.iter().zip(&texts) {
        let vector = &found.embedding;
        if vector.len() != dimension || !vector.iter().all(|number| number.is_finite()) {
            return Err(format!(
                "{} of {dimension} numbers, {:?}…, for {:?}",
                vector.len(),
                vector.first(),
                &text.chars().take(20).collect::<String>()
            ));
        }
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length != 0.0 && (length - 1.0).abs() > 1e-3 {
            return Err(format!("a vector of length {length}"));
        }
    }
    Ok(Some(
        found.into_iter().map(|found| found.embedding).collect(),
    ))
}

/// Whether an error says what it should: one line, not endless, that names the model or a file of it.
fn refused(error: &kenning::Error, folder: &Path) -> Result<(), String> {
    let message = error.to_string();
    let kind = match error {
        kenning::Error::Model(ModelError::Compute(_)) => "an error of the tensor library",
        _ if message.contains("the tokenizers library fails") => "a panic that was contained",
        _ if message.contains('\n') => "more than one line",
        _ if message.chars().count() > 1000 => "a very long message",
        _ if !message.contains(folder.file_name().unwrap().to_str().unwrap()) => {
            "an error without a name"
        }
        _ => return Ok(()),
    };
    Err(format!(
        "{kind}: {}",
        message.chars().take(300).collect::<String>()
    ))
}
