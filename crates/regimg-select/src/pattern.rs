//! Patterns: regular expressions as Go writes them.

mod class;
mod error;
mod escape;
mod flags;
mod group;
mod node;
mod parser;
mod program;
mod repeat;
mod stack;
mod unicode;

use std::{fmt, str::FromStr, sync::Arc};

pub use error::{ParsePatternError, ParsePatternErrorKind};

use error::Fault;
use program::Program;

/// A regular expression in the syntax of Go's [`regexp`], which is that of RE2.
///
/// It matches anywhere in a text unless it is anchored. Matching takes time linear in
/// the text's length, whatever the pattern.
///
/// ```
/// use regimg_select::Pattern;
///
/// let pattern = Pattern::parse(r"^v\d+-\Q1.2\E$")?;
/// assert!(pattern.is_match("v7-1.2"));
/// assert!(!pattern.is_match("v7-1x2"));
/// assert_eq!(
///     Pattern::parse("a(b").unwrap_err().to_string(),
///     "error parsing regexp: missing closing ): `a(b`",
/// );
/// # Ok::<(), regimg_select::ParsePatternError>(())
/// ```
///
/// It is not the syntax of the `regex` crate. For example, here:
///
/// | Pattern | Means |
/// | --- | --- |
/// | `\Qa.b\E` | the text `a.b` |
/// | `\d`, `\w`, `\s`, `\b` | ASCII only; `\s` without the vertical tab |
/// | `[a[b]`, `[a&&b]`, `[+--]` | one character of a set; no nesting, no operators |
/// | `a{,2}`, `a{ 1}`, `{` | braces as they stand, because they are no count |
/// | `a{1001}`, `a**` | errors, as are more than 1000 nested groups |
/// | `\101`, `\x{41}` | `A` |
/// | `(?x)`, `\u0041`, `\p{Alphabetic}` | errors |
///
/// Memory is bounded: a pattern is refused as too large if reading it would take more than
/// about 100 MiB, as one of 250,000 characters does, or its program more than 64 MiB. Text
/// beyond ASCII needs a program of its own, which is made when such text first comes and
/// takes up to 250 MiB. A pattern with more than a dozen groups is read on a thread with a
/// stack of its own. Characters are classified by
/// the Unicode version of the `regex` crate.
///
/// [`regexp`]: https://pkg.go.dev/regexp/syntax
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    program: Arc<Program>,
}

impl Pattern {
    /// Reads a pattern and prepares it for ASCII text.
    ///
    /// # Errors
    ///
    /// [`ParsePatternErrorKind`] lists them; they are Go's.
    pub fn parse(text: &str) -> Result<Self, ParsePatternError> {
        let program = stack::enough_for(text, || Program::new(parser::parse(text)?.node));
        Ok(Self {
            text: text.into(),
            program: Arc::new(program.map_err(|fault| ParsePatternError::new(fault, text))?),
        })
    }

    /// Reports whether the pattern matches somewhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.program.is_match(text)
    }

    /// Returns the text that was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A pattern with groups named `version`, at most 16 of them: `^build-(?P<version>\d+\.\d+)-linux$`.
///
/// ```
/// use regimg_select::VersionPattern;
///
/// let pattern = VersionPattern::parse(r"^jdk-(?P<version>[\d.]+)_")?;
/// assert_eq!(pattern.version("jdk-21.0.2_13"), Some("21.0.2"));
/// assert_eq!(pattern.version("jre-21.0.2_13"), None);
/// # Ok::<(), regimg_select::ParsePatternError>(())
/// ```
#[derive(Clone)]
pub struct VersionPattern {
    text: Arc<str>,
    captures: Arc<program::Captures>,
}

impl VersionPattern {
    /// The group's name.
    pub const GROUP: &str = "version";

    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`ParsePatternErrorKind`] lists them. Capturing takes memory, so a pattern is too
    /// large if its program takes more than 2 MiB.
    pub fn parse(text: &str) -> Result<Self, ParsePatternError> {
        let captures = stack::enough_for(text, || {
            let parsed = parser::parse(text)?;
            match parsed.version_groups {
                0 => Err(Fault::NoVersionGroup),
                groups => program::Captures::new(&parsed.node, groups),
            }
        });
        Ok(Self {
            text: text.into(),
            captures: Arc::new(captures.map_err(|fault| ParsePatternError::new(fault, text))?),
        })
    }

    /// Returns what the group captures at the first place where the pattern matches.
    ///
    /// With several such groups, it is the first that takes part in the match. Only
    /// ASCII text is looked at, as tags are.
    pub fn version<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.captures.version(text)
    }

    /// Returns the text that was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

macro_rules! text_form {
    ($($name:ident),*) => {$(
        impl FromStr for $name {
            type Err = ParsePatternError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.text)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $name {}
    )*};
}

text_form!(Pattern, VersionPattern);
