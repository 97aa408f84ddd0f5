//! Paths with wildcards: which file or directory is the image?

mod error;
mod wildcard;

use std::{fmt, str::FromStr};

pub use error::{ParseGlobError, ParseGlobErrorKind};
pub use wildcard::Wildcard;

use error::Fault;

/// A path below some directory, with wildcards: `image/*.tar`.
///
/// It does no I/O. Who walks the directory starts at [`base`](Self::base), and looks in
/// it, one level at a time, for what the [`wildcards`](Self::wildcards) match. Names are
/// taken in the order of their bytes, and links are followed; what is no directory, or
/// cannot be read, has nothing in it.
///
/// ```
/// use regimg_select::Glob;
///
/// let glob = Glob::parse("/out/./image-*/[^.]*.tar")?;
/// assert_eq!(glob.base(), "out");
///
/// let [directory, file] = glob.wildcards() else { unreachable!("two names have some") };
/// assert!(directory.is_match("image-1.2") && file.is_match("rootfs.tar"));
/// assert!(!file.is_match(".tar"));
///
/// // Without wildcards it is a path that exists or not.
/// let glob = Glob::parse("image/../rootfs.tar")?;
/// assert_eq!((glob.base(), glob.wildcards().len()), ("rootfs.tar", 0));
/// # Ok::<(), regimg_select::ParseGlobError>(())
/// ```
///
/// | Written | Meant |
/// | --- | --- |
/// | `*` | any characters, also none, and `.hidden`; never a `/` |
/// | `?` | one character other than `/` |
/// | `[a-c]`, `[^a-c]` | one character of a set, or not of it |
/// | `\*` | the `*` itself; in a set too |
/// | `**` | the same as `*` |
/// | `{a,b}`, `[!a]`, `~` | no alternatives, no negation, no home: as they stand |
/// | `/a`, `./a`, `a/`, `a//`, `b/../a` | `a` |
/// | the empty text, `.`, `/` | the directory itself |
/// | `[a/b]` | the names `[a` and `b]`; the first of them is malformed |
///
/// This is the syntax of Go's [`filepath.Match`]. Unlike there, a pattern is checked as a
/// whole before anything is looked for.
///
/// [`filepath.Match`]: https://pkg.go.dev/path/filepath#Match
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    base: String,
    wildcards: Vec<Wildcard>,
}

impl Glob {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// [`ParseGlobErrorKind`] lists them.
    pub fn parse(text: &str) -> Result<Self, ParseGlobError> {
        let names = clean(text).map_err(ParseGlobError::new)?;
        let plain = names.iter().take_while(|name| !Wildcard::has_any(name));
        let (base, rest) = names.split_at(plain.count());
        let wildcards = rest.iter().map(|name| Wildcard::parse(name));
        Ok(Self {
            text: text.to_owned(),
            base: base.join("/"),
            wildcards: wildcards.collect::<Result<_, _>>()?,
        })
    }

    /// Returns the names in front of the first one with a wildcard, joined by `/`; empty
    /// for the directory itself.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns the names from the first one with a wildcard on, each of which is looked
    /// for in what the one before it matched.
    pub fn wildcards(&self) -> &[Wildcard] {
        &self.wildcards
    }

    /// Returns the text that was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Splits a path into names, as Go's `filepath.Clean` does: brackets and backslashes do
/// not protect a `/`, and `..` takes back the name before it, whatever that is.
fn clean(path: &str) -> Result<Vec<&str>, Fault> {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop().ok_or(Fault::Outside)?;
            }
            name => names.push(name),
        }
    }
    Ok(names)
}

impl FromStr for Glob {
    type Err = ParseGlobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
