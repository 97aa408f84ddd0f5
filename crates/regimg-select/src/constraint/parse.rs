//! The grammar of constraints.

use super::{Constraint, atom::Atom, atom::Operator, error::Fault, range};
use crate::shape::Shape;

/// Reads all alternatives of a constraint.
pub(super) fn alternatives(text: &str) -> Result<Vec<Vec<Atom>>, Fault> {
    if text.len() > Constraint::MAX_LENGTH {
        return Err(Fault::TooLong);
    }
    let text = range::rewrite(text);
    let alternatives: Vec<_> = text.split("||").collect();
    if alternatives.len() > Constraint::MAX_ALTERNATIVES {
        return Err(Fault::TooManyAlternatives);
    }
    alternatives.into_iter().map(atoms).collect()
}

/// Reports whether a character is white space in a constraint.
pub(super) fn is_space(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\x0c' | '\r' | ' ')
}

/// Finds the operand that `text` begins with.
///
/// Compat: `|` is in upstream's set of characters by mistake. It is no wildcard, so it
/// is refused later, unless it is in a part that does not count.
pub(super) fn operand(text: &str) -> Option<Shape> {
    Shape::of_prefix(text, |byte| {
        byte.is_ascii_digit() || matches!(byte, b'x' | b'X' | b'*' | b'|')
    })
}

/// Reads the comparisons of one alternative.
fn atoms(alternative: &str) -> Result<Vec<Atom>, Fault> {
    let improper = || Fault::Improper(alternative.to_owned());
    let mut written = Vec::new();
    let mut rest = alternative.trim_start_matches(is_space);
    loop {
        let (atom, after) = Written::take(rest).ok_or_else(improper)?;
        written.push(atom);
        match after_separator(after).ok_or_else(improper)? {
            "" => break,
            next => rest = next,
        }
    }
    written.into_iter().map(Written::atom).collect()
}

/// Skips what separates two comparisons; the end does so, too.
fn after_separator(text: &str) -> Option<&str> {
    let trimmed = text.trim_start_matches(is_space);
    match trimmed.strip_prefix(',') {
        Some(rest) => Some(rest.trim_start_matches(is_space)).filter(|rest| !rest.is_empty()),
        None => (trimmed.is_empty() || trimmed.len() < text.len()).then_some(trimmed),
    }
}

/// A comparison as it is written.
struct Written<'a> {
    operator: Operator,
    sign: &'static str,
    operand: &'a str,
    shape: Shape,
}

impl<'a> Written<'a> {
    fn take(text: &'a str) -> Option<(Self, &'a str)> {
        let (sign, operator) = Operator::of_prefix(text);
        let text = text[sign.len()..].trim_start_matches(is_space);
        let shape = operand(text)?;
        let (operand, rest) = text.split_at(shape.end);
        let written = Self {
            operator,
            sign,
            operand,
            shape,
        };
        Some((written, rest))
    }

    fn atom(self) -> Result<Atom, Fault> {
        Atom::new(self.operator, self.sign, self.operand, &self.shape).map_err(Fault::Version)
    }
}
