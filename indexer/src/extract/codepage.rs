//! Windows and DOS code pages, and the charsets of fonts that stand for them.

use encoding_rs::Encoding;

/// The encoding of a Windows or DOS code page.
pub(super) fn encoding_of_page(page: i32) -> Option<&'static Encoding> {
    let label = match page {
        708 => "iso-8859-6".to_owned(),
        866 => "ibm866".to_owned(),
        874 | 1250..=1258 => format!("windows-{page}"),
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 | 1361 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        10000 => "macintosh".to_owned(),
        10007 => "x-mac-cyrillic".to_owned(),
        20866 => "koi8-r".to_owned(),
        21866 => "koi8-u".to_owned(),
        28591..=28606 => format!("iso-8859-{}", page - 28590),
        50220..=50222 => "iso-2022-jp".to_owned(),
        51932 => "euc-jp".to_owned(),
        54936 => "gb18030".to_owned(),
        65001 => "utf-8".to_owned(),
        _ => return None,
    };
    Encoding::for_label(label.as_bytes())
}

/// The encoding of a font's `\fcharset`.
pub(super) fn encoding_of_charset(charset: i32) -> Option<&'static Encoding> {
    encoding_of_page(match charset {
        0 => 1252,
        77 => 10000,
        128 => 932,
        129 | 130 => 949,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        // 1 is "the default", 2 is symbols, 254 and 255 are old DOS pages.
        _ => return None,
    })
}
