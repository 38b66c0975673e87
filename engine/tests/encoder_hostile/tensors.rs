//! Edits of safetensors files: of the header, of its length, of the numbers.

use serde_json::{Value, json};

use super::noise::Noise;

/// Changes something in the file. Says what it did.
pub fn spoil(file: &mut Vec<u8>, noise: &mut Noise) -> String {
    let Some((mut header, data)) = split(file) else {
        return "no safetensors any more".into();
    };
    let mut data = data.to_vec();
    let names: Vec<String> = header.keys().cloned().collect();
    let name = noise.pick(&names).clone();
    let mut lie = None;
    let mut twice = String::new();
    let how = noise.below(14);
    match how {
        0 => {
            header[&name]["data_offsets"] =
                json!([noise.below(data.len()), data.len() + noise.below(1000)])
        }
        1 => header[&name]["data_offsets"] = json!([u64::MAX - 8, u64::MAX]),
        2 => header[&name]["data_offsets"] = header[noise.pick(&names)]["data_offsets"].clone(),
        3 => header[&name]["shape"] = json!([1_u64 << 33, 1_u64 << 33]),
        4 => header[&name]["shape"] = json!([u64::MAX, 2, 0]),
        5 => header[&name]["shape"] = json!(vec![1; noise.below(3000)]),
        6 => {
            if let Some(shape) = header[&name]["shape"].as_array_mut() {
                shape.reverse();
            }
        }
        7 => {
            header[&name]["dtype"] = json!(noise.pick(&[
                "F64", "I64", "F16", "BF16", "BOOL", "F8_E4M3", "F4", "C64", "X", ""
            ]))
        }
        8 => {
            lie = Some(*noise.pick(&[
                0,
                1,
                7,
                1 << 20,
                100_000_001,
                u64::MAX,
                u64::MAX - 8,
                1 << 63,
            ]))
        }
        9 => twice = format!("{}:{},", json!(name), header[noise.pick(&names)]),
        10 => {
            let tensor = header.remove(&name).unwrap_or_default();
            header.insert(
                format!("{}{name}", noise.pick(&["x.", "", "bert.", "🦀."])),
                tensor,
            );
        }
        11 => {
            header = header
                .into_iter()
                .map(|(name, tensor)| (format!("model.{name}"), tensor))
                .collect()
        }
        12 => drop(if noise.one_in(2) {
            data.pop()
        } else {
            data.push(0);
            None
        }),
        _ => numbers(&header[&name], &mut data, noise),
    }
    let mut text = Value::Object(header).to_string();
    text.insert_str(1, &twice);
    let length = lie.unwrap_or(text.len() as u64).to_le_bytes();
    *file = [length.as_slice(), text.as_bytes(), &data].concat();
    format!("tensor {name} way {how}")
}

/// Fills a tensor's numbers, or some of them, with what is none, or nearly none.
fn numbers(tensor: &Value, data: &mut [u8], noise: &mut Noise) {
    let end = |index: usize| tensor["data_offsets"][index].as_u64().unwrap_or_default() as usize;
    let Some(bytes) = data.get_mut(end(0)..end(1)) else {
        return;
    };
    let every = 1 + noise.below(50);
    let values = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        1e30,
        1e20,
        1e-30,
        1e-45,
        0.0,
        -0.0,
    ];
    let value = noise.pick(&values);
    let numbers = bytes.as_chunks_mut::<4>().0;
    numbers
        .iter_mut()
        .step_by(every)
        .for_each(|number| *number = value.to_le_bytes());
}

/// The header and what follows it.
fn split(file: &[u8]) -> Option<(serde_json::Map<String, Value>, &[u8])> {
    let (length, rest) = file.split_first_chunk::<8>()?;
    let (header, data) = rest.split_at_checked(u64::from_le_bytes(*length) as usize)?;
    let mut header: serde_json::Map<String, Value> = serde_json::from_slice(header).ok()?;
    header.remove("__metadata__");
    header.values().all(Value::is_object).then_some(())?;
    (!header.is_empty()).then_some((header, data))
}
