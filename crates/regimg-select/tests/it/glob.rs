//! Paths with wildcards, and names that they match.

use std::collections::BTreeMap;

use proptest::prelude::*;
use regimg_select::{Glob, ParseGlobErrorKind as Kind, Wildcard};
use serde::Deserialize;

use crate::vectors;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Case {
    Match {
        pattern: String,
        malformed: bool,
        tests: Vec<Test>,
    },
    Glob {
        image: String,
        malformed: bool,
        tree: Vec<Entry>,
        matches: Vec<String>,
    },
}

#[derive(Deserialize)]
struct Test {
    name: String,
    #[serde(rename = "match")]
    matches: bool,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    target: Option<String>,
}

/// What there is in a directory, by path.
struct Tree(BTreeMap<String, Node>);

enum Node {
    File,
    Directory,
    Link(String),
}

impl Tree {
    fn new(entries: Vec<Entry>) -> Self {
        let mut nodes = BTreeMap::from([(String::new(), Node::Directory)]);
        for Entry { path, kind, target } in entries {
            for (slash, _) in path.match_indices('/') {
                nodes
                    .entry(path[..slash].to_owned())
                    .or_insert(Node::Directory);
            }
            let node = match kind.as_str() {
                "file" => Node::File,
                "dir" => Node::Directory,
                "link" => Node::Link(target.unwrap()),
                other => panic!("{path} is a {other}"),
            };
            nodes.insert(path, node);
        }
        Self(nodes)
    }

    /// Replaces links in a path by what they point at. None is within another here.
    fn followed(&self, path: &str) -> String {
        let mut followed = String::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            followed = join(&followed, name);
            if let Some(Node::Link(target)) = self.0.get(&followed) {
                followed = join(
                    followed.rsplit_once('/').map_or("", |(parent, _)| parent),
                    target,
                );
            }
        }
        followed
    }

    /// Reports whether something is there, without following a link at the end.
    fn exists(&self, path: &str) -> bool {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.followed(parent);
        self.is_directory(&parent) && self.0.contains_key(&join(&parent, name))
    }

    fn is_directory(&self, path: &str) -> bool {
        matches!(self.0.get(path), Some(Node::Directory))
    }

    /// Lists the names in a directory, in the order of their bytes.
    fn list(&self, path: &str) -> Vec<&str> {
        let path = self.followed(path);
        let prefix = join(&path, "");
        let children = self.0.keys().filter(|_| self.is_directory(&path));
        children
            .filter_map(|child| child.strip_prefix(prefix.as_str()))
            .filter(|name| !name.is_empty() && !name.contains('/'))
            .collect()
    }

    /// Looks for what a glob matches, as a program does.
    fn walk(&self, glob: &Glob) -> Vec<String> {
        let mut found = vec![glob.base().to_owned()];
        if glob.wildcards().is_empty() {
            found.retain(|path| self.exists(path));
        }
        for wildcard in glob.wildcards() {
            let names = |directory: &String| {
                let names = self.list(directory).into_iter();
                let names = names.filter(|name| wildcard.is_match(name));
                names.map(|name| join(directory, name)).collect::<Vec<_>>()
            };
            found = found.iter().flat_map(names).collect();
        }
        found
    }
}

fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        _ => format!("{directory}/{name}"),
    }
}

#[test]
fn globs_are_gos() {
    for case in vectors::cases::<Case>("glob.json") {
        match case {
            Case::Match {
                pattern,
                malformed,
                tests,
            } => {
                let wildcard = Wildcard::parse(&pattern);
                assert_eq!(wildcard.is_err(), malformed, "{pattern:?}");
                let Ok(wildcard) = wildcard else { continue };
                for Test { name, matches } in tests {
                    assert_eq!(wildcard.is_match(&name), matches, "{pattern:?} {name:?}");
                }
            }
            Case::Glob {
                image,
                malformed,
                tree,
                matches,
            } => {
                let glob = match Glob::parse(&image) {
                    Ok(glob) => glob,
                    // A deliberate deviation: Go would look outside.
                    Err(error) if error.kind() == Kind::Outside => {
                        assert!(image.starts_with("../"), "{image:?}");
                        continue;
                    }
                    Err(error) => {
                        assert!(malformed, "{image:?}: {error}");
                        continue;
                    }
                };
                assert!(!malformed, "{image:?}");
                let found = Tree::new(tree).walk(&glob);
                let found = found
                    .iter()
                    .map(|path| if path.is_empty() { "." } else { path });
                assert!(found.eq(&matches), "{image:?} is {matches:?}");
            }
        }
    }
}

#[test]
fn paths_are_cleaned_as_text() {
    let check = |text: &str, base: &str, wildcards: &[&str]| {
        let glob = Glob::parse(text).unwrap();
        assert_eq!(glob.base(), base, "{text:?}");
        let found: Vec<_> = glob.wildcards().iter().map(Wildcard::as_str).collect();
        assert_eq!(found, wildcards, "{text:?}");
    };
    check("", "", &[]);
    check("/", "", &[]);
    check("./.", "", &[]);
    check("a/..", "", &[]);
    check("/a//b/./c/", "a/b/c", &[]);
    check("a/b/../*.tar", "a", &["*.tar"]);
    check("*/../a", "a", &[]);
    check("a/*/b/?", "a", &["*", "b", "?"]);
    check("[a/../b]*", "", &["b]*"]);
}

#[test]
fn what_is_wrong_is_named() {
    let check = |text: &str, kind: Kind, name: Option<&str>| {
        let error = Glob::parse(text).unwrap_err();
        assert_eq!((error.kind(), error.name()), (kind, name), "{text:?}");
    };
    check("a/[b/c", Kind::Syntax, Some("[b"));
    check("*/[", Kind::Syntax, Some("["));
    check(r"a\/b", Kind::Syntax, Some(r"a\"));
    check("..", Kind::Outside, None);
    check("/..", Kind::Outside, None);
    check("a/../../b/[", Kind::Outside, None);
}

#[test]
fn bytes_that_are_no_text_are_characters_of_their_own() {
    let check = |pattern: &str, name: &[u8], expected: bool| {
        let wildcard = Wildcard::parse(pattern).unwrap();
        assert_eq!(wildcard.is_match(name), expected, "{pattern:?} {name:?}");
    };
    check("a?b", b"a\xffb", true);
    check("a??b", b"a\xe2\x82b", true);
    check("a?b", b"a\xe2\x82b", false);
    check("a*b", b"a\xe2\x82b", true);
    check("[^a]", b"\xff", true);
    check("[\u{fffd}]", b"\xff", true);
    check("\u{fffd}", b"\xff", false);
    check("é", "é".as_bytes(), true);
    check("??", "é".as_bytes(), false);
}

#[test]
fn many_runs_take_no_more_than_the_product_of_the_lengths() {
    let name = "a".repeat(2_000);
    let wildcard = Wildcard::parse(&"a*".repeat(500)).unwrap();
    assert!(wildcard.is_match(&name));
    let wildcard = Wildcard::parse(&format!("{}b", "a*".repeat(500))).unwrap();
    assert!(!wildcard.is_match(&name));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,20}", name in prop::collection::vec(any::<u8>(), 0..20)) {
        if let Ok(glob) = Glob::parse(&text) {
            prop_assert_eq!(glob.as_str(), &text);
            prop_assert!(glob.base().split('/').all(|part| part != ".." && part != "."));
        }
        if let Ok(wildcard) = Wildcard::parse(&text) {
            wildcard.is_match(name);
        }
    }

    #[test]
    fn wildcards_mean_what_the_slow_definition_says(pattern in "[ab*?]{0,8}", name in "[ab/]{0,8}") {
        fn slow(pattern: &[u8], name: &[u8]) -> bool {
            match (pattern, name) {
                ([], []) => true,
                ([b'*', pattern @ ..], _) if slow(pattern, name) => true,
                ([b'*', ..], [unit, name @ ..]) => *unit != b'/' && slow(pattern, name),
                ([b'?', pattern @ ..], [unit, name @ ..]) => *unit != b'/' && slow(pattern, name),
                ([item, pattern @ ..], [unit, name @ ..]) => item == unit && slow(pattern, name),
                _ => false,
            }
        }
        let wildcard = Wildcard::parse(&pattern).unwrap();
        prop_assert_eq!(wildcard.is_match(&name), slow(pattern.as_bytes(), name.as_bytes()));
    }

    #[test]
    fn escaped_names_match_themselves_only(name in "[a-c*?\\[\\]\\\\^-]{1,8}", other in "[a-c*?]{1,8}") {
        let escaped: String = name.chars().flat_map(|c| ['\\', c]).collect();
        let wildcard = Wildcard::parse(&escaped).unwrap();
        prop_assert!(wildcard.is_match(&name));
        prop_assert_eq!(wildcard.is_match(&other), other == name);
    }
}
