//! Why a text is not a pattern.

use std::{error, fmt, ops::Range};

use super::VersionPattern;

/// Says why a text is not a [`Pattern`](super::Pattern), and which part of it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePatternError {
    kind: ParsePatternErrorKind,
    fragment: String,
}

/// What is wrong with a text that is not a [`Pattern`](super::Pattern).
///
/// The classes and their names are those of Go's [`regexp/syntax`], except for the last.
///
/// [`regexp/syntax`]: https://pkg.go.dev/regexp/syntax#ErrorCode
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParsePatternErrorKind {
    /// `\C`, `\1`, `\u0041`.
    InvalidEscape,
    /// `[z-a]`, `[[:foo:]]`, `\p{Foo}`.
    InvalidCharRange,
    /// `[a`.
    MissingBracket,
    /// `(a`.
    MissingParen,
    /// `a)`.
    UnexpectedParen,
    /// `(?P<a.b>c)`.
    InvalidNamedCapture,
    /// `(?x)`, `(?=a)`.
    InvalidPerlOp,
    /// `*`.
    MissingRepeatArgument,
    /// `a**`.
    InvalidRepeatOp,
    /// `a{1001}`, `a{2,1}`, `(a{100}){100}`.
    InvalidRepeatSize,
    /// `a\`.
    TrailingBackslash,
    /// More than 1000 groups within each other, for example.
    NestingDepth,
    /// It needs too much memory.
    Large,
    /// A [`VersionPattern`] has no group of the name that it needs.
    NoVersionGroup,
}

/// How many characters of a fragment are displayed: a pattern that is too large should not
/// make a line of a log too large.
const MAX_EXCERPT: usize = 300;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    At(ParsePatternErrorKind, Range<usize>),
    TooDeep,
    TooLarge,
    NoVersionGroup,
}

impl ParsePatternError {
    pub(super) fn new(fault: Fault, pattern: &str) -> Self {
        use ParsePatternErrorKind as Kind;
        let (kind, fragment) = match fault {
            Fault::At(kind, range) => (kind, &pattern[range]),
            Fault::TooDeep => (Kind::NestingDepth, pattern),
            Fault::TooLarge => (Kind::Large, pattern),
            Fault::NoVersionGroup => (Kind::NoVersionGroup, pattern),
        };
        Self {
            kind,
            fragment: fragment.to_owned(),
        }
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> ParsePatternErrorKind {
        self.kind
    }

    /// Returns the part of the pattern that is wrong; it may be empty at its end.
    pub fn fragment(&self) -> &str {
        &self.fragment
    }
}

impl fmt::Display for ParsePatternErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidEscape => "invalid escape sequence",
            Self::InvalidCharRange => "invalid character class range",
            Self::MissingBracket => "missing closing ]",
            Self::MissingParen => "missing closing )",
            Self::UnexpectedParen => "unexpected )",
            Self::InvalidNamedCapture => "invalid named capture",
            Self::InvalidPerlOp => "invalid or unsupported Perl syntax",
            Self::MissingRepeatArgument => "missing argument to repetition operator",
            Self::InvalidRepeatOp => "invalid nested repetition operator",
            Self::InvalidRepeatSize => "invalid repeat count",
            Self::TrailingBackslash => "trailing backslash at end of expression",
            Self::NestingDepth => "expression nests too deeply",
            Self::Large => "expression too large",
            Self::NoVersionGroup => {
                return write!(f, "no group (?P<{}>…)", VersionPattern::GROUP);
            }
        })
    }
}

impl fmt::Display for ParsePatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, fragment } = self;
        match fragment.char_indices().nth(MAX_EXCERPT) {
            Some((end, _)) => {
                let excerpt = &fragment[..end];
                write!(f, "error parsing regexp: {kind}: `{excerpt}…`")
            }
            None => write!(f, "error parsing regexp: {kind}: `{fragment}`"),
        }
    }
}

impl error::Error for ParsePatternError {}
