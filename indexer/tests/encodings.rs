//! Detection of encodings, measured on one text in many languages: files whose names say what they are
//! encoded in, and pairs of files that hold the same text, one of them in UTF-8.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use kenning_indexer::extract::{Limits, extract};

/// The files by name; none, with the reason printed, where they are missing.
fn files() -> BTreeMap<String, (PathBuf, Vec<u8>)> {
    let data = std::env::var_os("KENNING_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let folder = data.join("folders/multilingual");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return BTreeMap::new();
    }
    let entries = std::fs::read_dir(&folder).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).unwrap();
            (name, (path, bytes))
        })
        .collect()
}

/// What Kenning reads in a file, and the encoding that it takes it for.
fn read(path: &Path, bytes: &[u8]) -> Result<(String, &'static str), String> {
    match extract(path, bytes, &Limits::default()) {
        Ok(mut found) => Ok((
            found.parts.remove(0).text,
            found.encoding.unwrap_or("UTF-8"),
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// The encoding that the end of a file name stands for. The bytes show that Windows wrote the files:
/// "Latin2" is Windows-1250, "Cyrillic" is Windows-1251, and so on.
fn named(name: &str) -> Option<&'static Encoding> {
    let label = match name {
        // Some names are wrong: read as they say, the texts are not in their languages.
        "Czech_Cesky-UTF8" | "Hungarian_Magyar-Latin1" => "windows-1250",
        "Mongolian_Khalkha-Cyrillic" => "iso-8859-5",
        "Lithuanian_Lietuviskai-Baltic" => "iso-8859-4",
        // Letters of a font: in no encoding is this Latvian.
        "Latvian-Latin1" => return None,
        _ => match name.rsplit('-').next()? {
            "UTF8" | "UTF8~" => "utf-8",
            "Latin1" => "windows-1252",
            "Latin2" => "windows-1250",
            "Cyrillic" => "windows-1251",
            "Greek" => "windows-1253",
            "Hebrew" => "windows-1255",
            "Arabic" => "windows-1256",
            "Turkish" => "windows-1254",
            "Baltic" => "windows-1257",
            "GB2312" => "gb18030",
            "SJIS" => "shift_jis",
            "EUC" => "euc-jp",
            "JIS" => "iso-2022-jp",
            _ => return None,
        },
    };
    Encoding::for_label(label.as_bytes())
}

/// Files in a hundred that must decode exactly.
const FLOOR: u32 = 98;

#[test]
fn files_decode_as_their_names_say() {
    let (mut count, mut right, mut close) = (0u32, 0u32, 0u32);
    for (name, (path, bytes)) in files() {
        let Some(expected) = named(&name) else {
            continue;
        };
        // Texts are cut at a number of bytes, so the last character can be half.
        let (expected_text, _) = expected.decode_with_bom_removal(&bytes);
        count += 1;
        let (text, encoding) = match read(&path, &bytes) {
            Ok(found) => found,
            Err(error) => {
                println!("{name}: {error}");
                continue;
            }
        };
        let pairs = expected_text.chars().zip(text.chars());
        let same = pairs.filter(|(a, b)| a == b).count();
        let all = expected_text.chars().count().max(1);
        right += u32::from(same + 1 >= all);
        close += u32::from(same * 100 >= all * 99);
        if same + 1 < all {
            let expected = expected.name();
            println!("{name}: {expected} as {encoding}: {same} of {all} characters");
        }
    }
    println!("{right} of {count} files exactly, {close} to 99 in 100 characters");
    assert!(right * 100 >= count * FLOOR, "{right} of {count}");
}

type Pair = [char; 2];

/// Neighbouring characters, at least one of them beyond ASCII, with how often they stand in a text.
fn pairs(text: &str) -> HashMap<Pair, usize> {
    let chars: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
    let mut pairs = HashMap::new();
    for pair in chars
        .windows(2)
        .filter(|pair| !pair.iter().all(char::is_ascii))
    {
        *pairs.entry([pair[0], pair[1]]).or_default() += 1;
    }
    pairs
}

/// How many in a hundred of the pairs in the `model` are in a text.
fn likeness(model: &HashMap<Pair, usize>, text: &str) -> f64 {
    let found: HashSet<Pair> = pairs(text).into_keys().collect();
    let all: usize = model.values().sum();
    let known = model.iter().filter(|(pair, _)| found.contains(*pair));
    100.0 * known.map(|(_, count)| count).sum::<usize>() as f64 / all.max(1) as f64
}

/// Every encoding of the WHATWG standard with letters of its own.
const ENCODINGS: [&str; 38] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "ibm866",
    "iso-8859-2",
    "iso-8859-3",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-6",
    "iso-8859-7",
    "iso-8859-8",
    "iso-8859-10",
    "iso-8859-13",
    "iso-8859-14",
    "iso-8859-15",
    "iso-8859-16",
    "koi8-r",
    "koi8-u",
    "macintosh",
    "windows-874",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "x-mac-cyrillic",
    "gbk",
    "gb18030",
    "big5",
    "euc-jp",
    "iso-2022-jp",
    "shift_jis",
    "euc-kr",
    "iso-8859-8-i",
];

/// The encoding that makes a file most like the model, and how like.
fn best(model: &HashMap<Pair, usize>, bytes: &[u8]) -> (&'static str, f64) {
    let decoded = ENCODINGS.iter().map(|label| {
        let encoding = Encoding::for_label(label.as_bytes()).unwrap();
        let (text, _) = encoding.decode_with_bom_removal(bytes);
        (encoding.name(), likeness(model, &text))
    });
    decoded.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

/// Below this a file does not hold the same text as the UTF-8 one, in any encoding: it is in
/// another script or in the letters of a font.
const SAME_TEXT: f64 = 75.0;

#[test]
fn files_decode_to_what_the_same_text_is_in_utf8() {
    let files = files();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, (path, bytes)) in &files {
        let Some((language, end)) = name.rsplit_once('-') else {
            continue;
        };
        let Some((_, model)) = files.get(&format!("{language}-UTF8")) else {
            continue;
        };
        if end == "UTF8" {
            continue;
        }
        // Where the file that is to be UTF-8 is not, it has nothing to teach.
        let model = String::from_utf8_lossy(model);
        if model.matches(char::REPLACEMENT_CHARACTER).count() > 3 {
            println!("{name}: there is no UTF-8 in {language}-UTF8");
            continue;
        }
        let model = pairs(&model);
        let (best, most) = best(&model, bytes);
        let (found, like) = match read(path, bytes) {
            Ok((text, encoding)) => (encoding, likeness(&model, &text)),
            Err(_) => ("not read", 0.0),
        };
        let verdict = match () {
            () if most < SAME_TEXT && like < SAME_TEXT => "another text",
            () if like >= most - 0.5 => "right",
            () => "WRONG",
        };
        println!("{name:30} {found:13} {like:5.1}   best {best:13} {most:5.1}   {verdict}");
        compared += usize::from(verdict != "another text");
        wrong.extend((verdict == "WRONG").then_some(name));
    }
    println!("{} of {compared} are wrong", wrong.len());
    assert!(files.is_empty() || compared >= 20, "{compared}");
    assert!(wrong.is_empty(), "{wrong:?}");
}
