//! Numbers in headers: octal text, or base 256 for what does not fit.

use crate::error::Error;

/// Reads a numeric field. Octal digits may be padded with spaces and end at a NUL; a first
/// byte with its high bit set begins a two's complement number, most significant byte
/// first (GNU, star and Go write it).
pub(super) fn number(field: &[u8], name: &str) -> Result<i64, Error> {
    let parsed = match field.first() {
        Some(first) if first & 0x80 != 0 => base_256(field),
        _ => octal(field),
    };
    parsed.ok_or_else(|| Error::archive(format!("header has no valid {name}")))
}

/// Reads a numeric field that cannot be negative.
pub(super) fn unsigned(field: &[u8], name: &str) -> Result<u64, Error> {
    number(field, name)?
        .try_into()
        .map_err(|_| Error::archive(format!("header has a negative {name}")))
}

/// A NUL ends the digits. Before digits it is refused: Go's reader passes over it and others
/// read zero, so that they would not agree on where a file ends.
fn octal(field: &[u8]) -> Option<i64> {
    let field = field.trim_ascii_start();
    let text = cut_at_nul(field).trim_ascii();
    if text.is_empty() && field.iter().any(|&byte| !matches!(byte, 0 | b' ')) {
        return None;
    }
    text.iter().try_fold(0_i64, |value, &digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

fn base_256(field: &[u8]) -> Option<i64> {
    // Bit 7 of the first byte is only the mark, bit 6 the sign.
    let invert = if field[0] & 0x40 == 0 { 0 } else { 0xff };
    let first = (field[0] ^ invert) & 0x7f;
    let magnitude = field[1..]
        .iter()
        .try_fold(i64::from(first), |value, &byte| {
            value
                .checked_mul(256)?
                .checked_add(i64::from(byte ^ invert))
        })?;
    Some(if invert == 0 { magnitude } else { !magnitude })
}

/// Returns what comes before the first NUL.
pub(super) fn cut_at_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn octal_and_base_256() {
        let cases: [(&[u8], Option<i64>); 15] = [
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"644\0junk", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"\0\0\0\x30644\0", None),
            (b"0000648\0", None),
            (b"-000001\0", None),
            (b"\x80\0\0\0\0\0\x01\x02", Some(258)),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\x02", Some(258)),
            (
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                Some(-1),
            ),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (
                b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
                Some(i64::MAX),
            ),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None),
        ];
        for (field, expected) in cases {
            assert_eq!(number(field, "size").ok(), expected, "{field:x?}");
        }
    }
}
