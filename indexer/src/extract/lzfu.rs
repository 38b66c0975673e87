//! The compression of RTF bodies in Outlook messages ([MS-OXRTFCP]).

use super::ole::u32_at;

/// What the window holds at first.
const PRELUDE: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

const WINDOW: usize = 4096;

/// Unpacks a body; none if it is no such body. At most `limit` bytes come out.
pub(super) fn unpack(bytes: &[u8], limit: usize) -> Option<Vec<u8>> {
    let size = (u32_at(bytes, 4)? as usize).min(limit);
    let body = bytes.get(16..)?;
    match bytes.get(8..12)? {
        b"MELA" => Some(body.get(..size).unwrap_or(body).to_vec()),
        b"LZFu" => Some(decompress(body, size)),
        _ => None,
    }
}

fn decompress(body: &[u8], size: usize) -> Vec<u8> {
    let mut window = [b' '; WINDOW];
    window[..PRELUDE.len()].copy_from_slice(PRELUDE);
    let mut at = PRELUDE.len();
    let mut out = Vec::new();
    let mut input = body.iter().copied();
    'runs: while let Some(control) = input.next() {
        for bit in 0..8 {
            if out.len() >= size {
                break 'runs;
            }
            if control >> bit & 1 == 0 {
                let Some(byte) = input.next() else {
                    break 'runs;
                };
                out.push(byte);
                window[at] = byte;
                at = (at + 1) % WINDOW;
                continue;
            }
            let (Some(high), Some(low)) = (input.next(), input.next()) else {
                break 'runs;
            };
            let reference = usize::from(u16::from_be_bytes([high, low]));
            let (offset, length) = (reference >> 4, (reference & 15) + 2);
            // A reference to the place of writing ends the data.
            if offset == at {
                break 'runs;
            }
            for step in 0..length {
                let byte = window[(offset + step) % WINDOW];
                out.push(byte);
                window[at] = byte;
                at = (at + 1) % WINDOW;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first example of the specification, section 4.1.1.
    #[test]
    fn the_example_of_the_specification() {
        let packed = [
            0x2d, 0x00, 0x00, 0x00, 0x2b, 0x00, 0x00, 0x00, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5,
            0xc7, 0xa7, 0x03, 0x00, 0x0a, 0x00, 0x72, 0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42,
            0x32, 0x0a, 0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09, 0x00, 0x20, 0x62, 0x77, 0x05, 0xb0,
            0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0,
        ];
        let text = unpack(&packed, 1 << 20).unwrap_or_default();
        assert_eq!(text, b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
        assert_eq!(unpack(b"short", 10), None);
    }
}
