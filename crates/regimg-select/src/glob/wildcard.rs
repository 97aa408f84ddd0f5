//! One name of a path, with wildcards.

use std::{fmt, iter::Peekable, str::Chars, str::FromStr};

use super::{ParseGlobError, error::Fault};

/// Matches names: `*.tar`. [`Glob`](super::Glob) has the syntax.
///
/// ```
/// use regimg_select::Wildcard;
///
/// let wildcard = Wildcard::parse(r"[^.]*-\[?\].tar")?;
/// assert!(wildcard.is_match("image-[1].tar"));
/// assert!(!wildcard.is_match("image-[10].tar"));
/// assert_eq!(Wildcard::parse("image-[1").unwrap_err().to_string(), "syntax error in pattern");
/// # Ok::<(), regimg_select::ParseGlobError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    text: String,
    items: Vec<Item>,
}

/// One part of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// `*`
    Run,
    /// `?`
    One,
    Literal(char),
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// One character of a name that is matched; none for a byte that belongs to none.
type Unit = Option<char>;

impl Wildcard {
    /// Reads a pattern for names. A slash is a character that only itself and sets match.
    ///
    /// # Errors
    ///
    /// Fails if a set is not closed, is empty, or has a range without an end, and if the
    /// text ends with a backslash.
    pub fn parse(text: &str) -> Result<Self, ParseGlobError> {
        let mut rest = text.chars().peekable();
        let mut items = Vec::new();
        while let Some(next) = rest.next() {
            let item = Item::parse(next, &mut rest);
            let item = item.ok_or_else(|| ParseGlobError::new(Fault::Syntax(text.to_owned())))?;
            // Several runs in a row are one, and then one place to go back to is enough.
            if item != Item::Run || items.last() != Some(&Item::Run) {
                items.push(item);
            }
        }
        Ok(Self {
            text: text.to_owned(),
            items,
        })
    }

    /// Reports whether the pattern matches the whole of `name`, which need not be text: a
    /// byte that is not part of a character counts as the character U+FFFD for wildcards.
    ///
    /// The time it takes is at most proportional to the product of both lengths.
    pub fn is_match(&self, name: impl AsRef<[u8]>) -> bool {
        self.matches(&units(name.as_ref()))
    }

    /// If what follows a run does not fit, the run takes one character more. Only the
    /// last run ever has to: what those before it have taken can stay.
    fn matches(&self, name: &[Unit]) -> bool {
        let (mut item, mut at) = (0, 0);
        let mut run: Option<(usize, usize)> = None;
        while item < self.items.len() || at < name.len() {
            match (self.items.get(item), name.get(at)) {
                (Some(Item::Run), _) => {
                    run = Some((item, at));
                    item += 1;
                }
                (Some(one), Some(&unit)) if one.is_match(unit) => {
                    item += 1;
                    at += 1;
                }
                _ => match run {
                    Some((start, end)) if name.get(end).is_some_and(|&unit| unit != Some('/')) => {
                        run = Some((start, end + 1));
                        (item, at) = (start + 1, end + 1);
                    }
                    _ => return false,
                },
            }
        }
        true
    }

    /// Returns the text that was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Reports whether a name has a wildcard, or an escape, so that it may match others.
    pub(super) fn has_any(name: &str) -> bool {
        name.contains(['*', '?', '[', '\\'])
    }
}

impl Item {
    /// Reads the item that begins with `first`; none if it is malformed.
    fn parse(first: char, rest: &mut Peekable<Chars<'_>>) -> Option<Self> {
        Some(match first {
            '*' => Self::Run,
            '?' => Self::One,
            '[' => Self::set(rest)?,
            '\\' => Self::Literal(rest.next()?),
            literal => Self::Literal(literal),
        })
    }

    fn set(rest: &mut Peekable<Chars<'_>>) -> Option<Self> {
        let negated = rest.next_if_eq(&'^').is_some();
        let mut ranges = Vec::new();
        while ranges.is_empty() || rest.next_if_eq(&']').is_none() {
            let low = end_of_range(rest)?;
            let high = match rest.next_if_eq(&'-') {
                Some(_) => end_of_range(rest)?,
                None => low,
            };
            ranges.push((low, high));
        }
        Some(Self::Set { negated, ranges })
    }

    fn is_match(&self, unit: Unit) -> bool {
        match self {
            Self::Run => false,
            Self::One => unit != Some('/'),
            Self::Literal(literal) => unit == Some(*literal),
            Self::Set { negated, ranges } => {
                let character = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
                let mut ranges = ranges.iter();
                ranges.any(|&(low, high)| (low..=high).contains(&character)) != *negated
            }
        }
    }
}

/// Reads one end of a range: no bare `-` or `]`.
fn end_of_range(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        character => Some(character),
    }
}

fn units(name: &[u8]) -> Vec<Unit> {
    let units = name.utf8_chunks().flat_map(|chunk| {
        let characters = chunk.valid().chars().map(Some);
        characters.chain(chunk.invalid().iter().map(|_| None))
    });
    units.collect()
}

impl FromStr for Wildcard {
    type Err = ParseGlobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
