//! SentencePiece's map of characters, as `Precompiled` keeps it: the size of a trie in bytes, the trie, and
//! texts that end in zeros, in base64. A unit of the trie is a label with, from bit 10 on, how far its children
//! are; bit 8 says that among these, at label 0, stands a value: the place of a text.

const LEAF: u32 = 1 << 8;

/// The map that turns "a" into "b" and "c" into "xyz".
pub fn small() -> String {
    let mut units = vec![0_u32; 1024];
    units[0] = 256 << 10;
    for (letter, children, text) in [(b'a', 512, 0_u32), (b'c', 768, 2)] {
        let at = 256 ^ usize::from(letter);
        units[at] = u32::from(letter) | LEAF | ((at as u32 ^ children) << 10);
        units[children as usize] = text;
    }
    encode(&units, b"b\0xyz\0")
}

/// The map of `units` and `texts`.
pub fn encode(units: &[u32], texts: &[u8]) -> String {
    let size = (units.len() as u32 * 4).to_le_bytes();
    let units = units.iter().flat_map(|unit| unit.to_le_bytes());
    base64(
        &size
            .into_iter()
            .chain(units)
            .chain(texts.iter().copied())
            .collect::<Vec<u8>>(),
    )
}

pub fn base64(bytes: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| {
            bits << 8 | u32::from(*three.get(i).unwrap_or(&0))
        });
        for place in 0..4 {
            let letter = letters[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}
