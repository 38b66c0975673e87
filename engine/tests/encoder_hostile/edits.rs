//! Edits of bytes and of JSON, of whatever file.

use serde_json::{Map, Value, json};

use super::noise::Noise;

/// Changes some bytes: to noise, to extremes, by one bit; or repeats, removes or moves a stretch, or cuts.
/// Says what it did.
pub fn bytes(bytes: &mut Vec<u8>, noise: &mut Noise) -> String {
    if noise.one_in(20) {
        let length = noise.below(2000);
        *bytes = (0..length).map(|_| noise.below(256) as u8).collect();
        return "nonsense".into();
    }
    let mut done = String::from("bytes");
    for _ in 0..1 + noise.below(6) {
        if bytes.is_empty() {
            break;
        }
        let at = noise.below(bytes.len());
        let end = (at + 1 + noise.below(64)).min(bytes.len());
        let how = noise.below(10);
        done += &format!(" {how}@{at}");
        match how {
            0 => bytes[at] = noise.below(256) as u8,
            1 => bytes[at] ^= 1 << noise.below(8),
            2 => bytes[at] = 0xFF,
            3 => bytes[at..(at + 4).min(end)].fill(0xFF),
            4 => bytes[at] = noise.below(10) as u8 + b'0',
            5 => bytes[at] = bytes[at].wrapping_add(1),
            6 => drop(bytes.drain(at..end)),
            7 => {
                let stretch = bytes[at..end].to_vec();
                let to = noise.below(bytes.len());
                bytes.splice(to..to, stretch);
            }
            8 => bytes[at] = *noise.pick(b"{}[]\",:\\\n0 "),
            _ if noise.one_in(4) => bytes.truncate(at),
            _ => {}
        }
    }
    done
}

/// Values of all kinds, extremes among them.
pub fn nasty(noise: &mut Noise) -> Value {
    let numbers = [
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(-1),
        json!(0.5),
        json!(-0.0),
        json!(1e-300),
        json!(1e308),
        json!(-1e308),
        json!(17),
        json!(1000),
        json!(100_000),
        json!(1_000_000),
        json!(1 << 20),
        json!(u32::MAX),
        json!(1_u64 << 32),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(u64::MAX - 1),
    ];
    match noise.below(10) {
        0 => Value::Null,
        1 => json!(noise.one_in(2)),
        2 => json!(""),
        3 => json!(noise.pick(&["x", "\u{0}", "..", "/", "🦀", "gelu", "true", "1"])),
        4 => json!(
            noise
                .pick(&["x", "é", "▁", " "])
                .repeat(1 << noise.below(18))
        ),
        5 => json!([]),
        6 => json!({}),
        7 => nested(noise),
        _ => noise.pick(&numbers).clone(),
    }
}

/// Lists in lists, below and beyond what the parser follows.
fn nested(noise: &mut Noise) -> Value {
    let depth = *noise.pick(&[3, 50, 120, 200]);
    (0..depth).fold(json!(1), |inner, _| {
        if noise.one_in(2) {
            json!([inner])
        } else {
            json!({ "a": inner })
        }
    })
}

/// The paths to all values in `json`.
fn paths(json: &Value) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut add = |key: &str, value: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        all.extend(
            paths(value)
                .into_iter()
                .map(|below| format!("/{key}{below}")),
        );
    };
    match json {
        Value::Object(map) => map.iter().for_each(|(key, value)| add(key, value)),
        // Of a long list some will do.
        Value::Array(list) => list
            .iter()
            .take(30)
            .enumerate()
            .for_each(|(key, value)| add(&key.to_string(), value)),
        _ => {}
    }
    all
}

/// A path, those near the top as likely as the many below.
fn path(json: &Value, noise: &mut Noise) -> String {
    let all = paths(json);
    let depth = 1 + noise.below(6);
    let near: Vec<&String> = all
        .iter()
        .filter(|path| path.matches('/').count() <= depth && !path.is_empty())
        .collect();
    near.get(noise.below(near.len()))
        .map_or_else(String::new, |path| (*path).clone())
}

/// Changes a value somewhere in `json`. Says what it did.
pub fn value(json: &mut Value, noise: &mut Noise) -> String {
    let at = path(json, noise);
    let donor = json
        .pointer(&path(json, noise))
        .cloned()
        .unwrap_or_default();
    let Some(place) = json.pointer_mut(&at) else {
        return "nothing".into();
    };
    let how = match noise.below(9) {
        0..4 => {
            *place = nasty(noise);
            "nasty"
        }
        4 => {
            *place = donor;
            "swapped"
        }
        5 => {
            tweak(place, noise);
            "tweaked"
        }
        6 => match place {
            Value::Array(list) if !list.is_empty() => {
                let index = noise.below(list.len());
                let copies = 1 + noise.below(3);
                let item = list[index].clone();
                list.splice(index..index, std::iter::repeat_n(item, copies));
                "doubled"
            }
            Value::Object(map) if !map.is_empty() => rename(map, noise),
            _ => {
                *place = json!([place.clone()]);
                "in a list"
            }
        },
        _ => {
            let (parent, key) = at.rsplit_once('/').unwrap_or_default();
            match json.pointer_mut(parent) {
                Some(Value::Object(map)) => drop(map.remove(key)),
                Some(Value::Array(list)) => {
                    drop(key.parse().map(|index: usize| list.remove(index)))
                }
                _ => {}
            }
            "removed"
        }
    };
    format!("{at} {how}")
}

fn rename(map: &mut Map<String, Value>, noise: &mut Noise) -> &'static str {
    let keys: Vec<String> = map.keys().cloned().collect();
    let value = map.remove(noise.pick(&keys)).unwrap_or_default();
    map.insert(
        noise
            .pick(&["", "x", "type", "id", "🦀", "vocab"])
            .to_string(),
        value,
    );
    "renamed"
}

/// A value of the same kind.
fn tweak(value: &mut Value, noise: &mut Noise) {
    *value = match value.take() {
        Value::Bool(on) => json!(!on),
        Value::String(text) => {
            let mut bytes = text.into_bytes();
            self::bytes(&mut bytes, noise);
            json!(String::from_utf8_lossy(&bytes))
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            match noise.below(6) {
                0 => json!(number as i64 + 1),
                1 => json!(number as i64 - 1),
                2 => json!(number as i64 * 2),
                3 => json!(-number as i64),
                4 => json!(number / 2.0),
                _ => json!((number * 1000.0) as i64),
            }
        }
        other => other,
    };
}

/// The text of `json`, one in some times with a key twice.
pub fn text(json: &Value, noise: &mut Noise) -> Vec<u8> {
    let mut text = json.to_string();
    if noise.one_in(10)
        && let Value::Object(map) = json
        && !map.is_empty()
    {
        let keys: Vec<&String> = map.keys().collect();
        let key = noise.pick(&keys);
        let value = if noise.one_in(2) {
            map[*key].clone()
        } else {
            nasty(noise)
        };
        text.insert_str(1, &format!("{}:{value},", json!(key)));
    }
    text.into_bytes()
}
