//! Names in archives, made into names under the root.

use crate::error::Error;

/// Cleans a name as one would in a directory that has no parent: `.` and empty parts say
/// nothing, `..` goes up at most to the root. The root itself is the empty path.
///
/// Names are bytes, in no encoding; only NUL cannot be in one.
pub(crate) fn clean(name: &[u8]) -> Result<Vec<u8>, Error> {
    if name.contains(&0) {
        return Err(Error::archive("name holds a NUL"));
    }
    let mut path = Vec::with_capacity(name.len());
    for component in name.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => path.truncate(split(&path).0.len()),
            _ => push(&mut path, component),
        }
    }
    Ok(path)
}

/// Appends a component to a clean path.
pub(crate) fn push(path: &mut Vec<u8>, component: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
}

/// Splits a clean path into the directory's path and the last component.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use super::{clean, split};

    #[test]
    fn names_stay_below_the_root() {
        let cases = [
            ("a", "a"),
            ("./a", "a"),
            ("/a", "a"),
            ("a//b/", "a/b"),
            ("a/./b", "a/b"),
            ("x/../a", "a"),
            ("../../a", "a"),
            ("a/b/../../../c", "c"),
            (".", ""),
            ("/", ""),
            ("./.", ""),
            ("..", ""),
            ("...", "..."),
        ];
        for (name, expected) in cases {
            assert_eq!(
                clean(name.as_bytes()).expect("no NUL"),
                expected.as_bytes(),
                "{name}"
            );
        }
        assert!(clean(b"a\0b").is_err());
    }

    #[test]
    fn the_last_component_stands_alone() {
        assert_eq!(split(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(split(b"a"), (&b""[..], &b"a"[..]));
    }
}
