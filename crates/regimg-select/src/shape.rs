//! The shape that versions and the operands of constraints share.

use std::ops::Range;

/// Says where the parts of a version stand in a text.
///
/// The pre-release is without the hyphen that introduces it.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) major: Range<usize>,
    pub(crate) minor: Option<Range<usize>>,
    pub(crate) patch: Option<Range<usize>>,
    pub(crate) pre_release: Option<Range<usize>>,
    /// Where the version ends; what follows does not belong to it.
    pub(crate) end: usize,
}

impl Shape {
    /// Finds the longest version that `text` begins with; the numbers consist of bytes
    /// that `segment` accepts.
    ///
    /// Every part is introduced by a character that cannot stand elsewhere, so taking
    /// as much as possible never has to be reconsidered.
    pub(crate) fn of_prefix(text: &str, segment: fn(u8) -> bool) -> Option<Self> {
        let bytes = text.as_bytes();
        let start = usize::from(bytes.first() == Some(&b'v'));
        let major = run(bytes, start, segment)?;
        let part = |sign, at| after(bytes, sign, at).and_then(|at| run(bytes, at, segment));
        let minor = part(b'.', major.end);
        let patch = minor.as_ref().and_then(|minor| part(b'.', minor.end));
        let numbers = [Some(&major), minor.as_ref(), patch.as_ref()];
        let end = numbers.into_iter().flatten().last()?.end;
        let tail = |sign, at| after(bytes, sign, at).and_then(|at| identifiers(bytes, at));
        let pre_release = tail(b'-', end);
        let end = pre_release.as_ref().map_or(end, |range| range.end);
        let end = tail(b'+', end).map_or(end, |metadata| metadata.end);
        Some(Self {
            major,
            minor,
            patch,
            pre_release,
            end,
        })
    }
}

/// Reports whether a byte can stand in an identifier of a pre-release or of metadata.
pub(crate) fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn after(bytes: &[u8], sign: u8, at: usize) -> Option<usize> {
    (bytes.get(at) == Some(&sign)).then_some(at + 1)
}

fn run(bytes: &[u8], start: usize, accepts: fn(u8) -> bool) -> Option<Range<usize>> {
    let length = bytes[start..].iter().take_while(|&&byte| accepts(byte));
    let end = start + length.count();
    (end > start).then_some(start..end)
}

/// Finds dot-separated identifiers; a dot without one after it is left alone.
fn identifiers(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let mut end = run(bytes, start, is_identifier)?.end;
    while let Some(next) = after(bytes, b'.', end).and_then(|at| run(bytes, at, is_identifier)) {
        end = next.end;
    }
    Some(start..end)
}
