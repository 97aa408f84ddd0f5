//! Classes of characters: `[a-z]`, `[[:alpha:]]`, `\d`, `\pL`.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::{
    error::{Fault, ParsePatternErrorKind as Kind},
    escape::Cursor,
    node::fold,
    unicode,
};

/// A set of ASCII characters, as ranges.
type Ranges = &'static [(char, char)];

const DIGIT: Ranges = &[('0', '9')];
const SPACE: Ranges = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];
const WORD: Ranges = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

/// The POSIX classes by name.
const POSIX: [(&str, Ranges); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7f')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1f'), ('\x7f', '\x7f')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

impl Cursor<'_> {
    /// Takes the class in brackets that comes next.
    pub(super) fn brackets(&mut self, folded: bool) -> Result<ClassUnicode, Fault> {
        let start = self.at;
        self.at += 1;
        let negated = self.eat("^");
        let mut items = Items {
            folded,
            ranges: Vec::new(),
        };
        let first = self.at;
        while self.at == first || !self.eat("]") {
            self.item(start, &mut items)?;
        }
        let mut class = ClassUnicode::new(items.ranges);
        if folded {
            fold(&mut class);
        }
        if negated {
            class.negate();
        }
        Ok(class)
    }

    /// Takes one item of a class that began at `start`.
    fn item(&mut self, start: usize, items: &mut Items) -> Result<(), Fault> {
        if let Some(class) = self.posix()? {
            items.add_class(class);
        } else if let Some(class) = self.class_escape(items.folded)? {
            items.ranges.extend(class.iter());
        } else {
            let (low, high) = self.range(start)?;
            items.ranges.extend(characters(low, high));
        }
        Ok(())
    }

    /// Takes a POSIX class if one comes next: `[:name:]` or `[:^name:]`.
    fn posix(&mut self) -> Result<Option<(Ranges, bool)>, Fault> {
        let start = self.at;
        if !self.rest().starts_with("[:") || self.last_posix_end < Some(start + 2) {
            return Ok(None);
        }
        let Some((name, _)) = self.rest()[2..].split_once(":]") else {
            return Ok(None);
        };
        self.at += name.len() + 4;
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let class = POSIX.iter().find(|(known, _)| *known == name);
        let &(_, ranges) = class.ok_or_else(|| self.fault(Kind::InvalidCharRange, start))?;
        Ok(Some((ranges, negated)))
    }

    /// Takes an escape that stands for a class, such as `\d` or `\pL`, if one comes next.
    pub(super) fn class_escape(&mut self, folded: bool) -> Result<Option<ClassUnicode>, Fault> {
        let bytes = self.rest().as_bytes();
        let &[b'\\', letter, ..] = bytes else {
            return Ok(None);
        };
        let ranges = match letter {
            b'd' | b'D' => DIGIT,
            b's' | b'S' => SPACE,
            b'w' | b'W' => WORD,
            b'p' | b'P' => return self.unicode(letter == b'P', folded).map(Some),
            _ => return Ok(None),
        };
        self.at += 2;
        Ok(Some(closed(
            ascii(ranges),
            letter.is_ascii_uppercase(),
            folded,
        )))
    }

    /// Takes `\pL`, `\p{Greek}` or `\p{^Greek}`.
    fn unicode(&mut self, negated: bool, folded: bool) -> Result<ClassUnicode, Fault> {
        let start = self.at;
        self.at += 2;
        let invalid = |cursor: &Self| cursor.fault(Kind::InvalidCharRange, start);
        let name = if self.eat("{") {
            let Some((name, _)) = self.rest().split_once('}') else {
                self.at = self.pattern.len();
                return Err(invalid(self));
            };
            self.at += name.len() + 1;
            name
        } else {
            let name = self.at;
            self.next();
            &self.pattern[name..self.at]
        };
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !negated),
            None => (name, negated),
        };
        let class = unicode::class(name).ok_or_else(|| invalid(self))?;
        Ok(closed(class, negated, folded))
    }

    /// Takes one character of a class, or two with a hyphen between them.
    fn range(&mut self, start: usize) -> Result<(u32, u32), Fault> {
        let item = self.at;
        let low = self.class_character(start)?;
        let rest = self.rest();
        if !rest.starts_with('-') || rest.len() < 2 || rest.starts_with("-]") {
            return Ok((low, low));
        }
        self.at += 1;
        let high = self.class_character(start)?;
        if low > high {
            return Err(self.fault(Kind::InvalidCharRange, item));
        }
        Ok((low, high))
    }

    fn class_character(&mut self, start: usize) -> Result<u32, Fault> {
        if self.rest().starts_with('\\') {
            return self.escape();
        }
        let end = self.pattern.len();
        let missing = Fault::At(Kind::MissingBracket, start..end);
        self.next().map(u32::from).ok_or(missing)
    }
}

/// What has been read of a class.
struct Items {
    folded: bool,
    ranges: Vec<ClassUnicodeRange>,
}

impl Items {
    fn add_class(&mut self, (ranges, negated): (Ranges, bool)) {
        let class = closed(ascii(ranges), negated, self.folded);
        self.ranges.extend(class.iter());
    }
}

fn ascii(ranges: Ranges) -> ClassUnicode {
    ClassUnicode::new(
        ranges
            .iter()
            .map(|&(low, high)| ClassUnicodeRange::new(low, high)),
    )
}

/// Closes a class under case folding before it is negated, as Go does: `(?i)\W` does not
/// match the Kelvin sign.
fn closed(mut class: ClassUnicode, negated: bool, folded: bool) -> ClassUnicode {
    if folded {
        fold(&mut class);
    }
    if negated {
        class.negate();
    }
    class
}

/// Returns the characters between two code points: surrogates are none.
fn characters(low: u32, high: u32) -> Option<ClassUnicodeRange> {
    let low = char::from_u32(low).unwrap_or('\u{e000}');
    let high = char::from_u32(high).unwrap_or('\u{d7ff}');
    (low <= high).then(|| ClassUnicodeRange::new(low, high))
}
