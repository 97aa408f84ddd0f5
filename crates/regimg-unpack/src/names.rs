//! Paths that share their beginnings, so that many deep ones take little memory.

use std::collections::HashMap;
use std::rc::Rc;

use crate::path;

/// A path in [`Names`]. That of a directory is less than those of everything in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(usize);

impl Name {
    /// The root.
    pub(crate) const ROOT: Self = Self(0);
}

/// Clean paths, each stored as its last component and what is before it.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// All but the root.
    nodes: Vec<Node>,
    children: HashMap<(Name, Rc<[u8]>), Name>,
}

#[derive(Debug)]
struct Node {
    parent: Name,
    component: Rc<[u8]>,
}

impl Names {
    /// Returns the name of what a component stands for in a directory.
    pub(crate) fn child(&mut self, parent: Name, component: &[u8]) -> Name {
        let key = (parent, Rc::from(component));
        if let Some(&child) = self.children.get(&key) {
            return child;
        }
        let component = Rc::clone(&key.1);
        self.nodes.push(Node { parent, component });
        let child = Name(self.nodes.len());
        self.children.insert(key, child);
        child
    }

    /// Returns the name of a clean path.
    pub(crate) fn of(&mut self, path: &[u8]) -> Name {
        path.split(|&byte| byte == b'/')
            .filter(|component| !component.is_empty())
            .fold(Name::ROOT, |parent, component| {
                self.child(parent, component)
            })
    }

    /// Returns the path that a name stands for.
    pub(crate) fn path(&self, name: Name) -> Vec<u8> {
        let mut components = Vec::new();
        let mut at = name;
        while let Some(node) = self.node(at) {
            components.push(&node.component);
            at = node.parent;
        }
        let mut path = Vec::new();
        for component in components.into_iter().rev() {
            path::push(&mut path, component);
        }
        path
    }

    fn node(&self, name: Name) -> Option<&Node> {
        self.nodes.get(name.0.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, Names};

    #[test]
    fn a_path_comes_back_as_it_was() {
        let mut names = Names::default();
        let deep = names.of(b"a/b/c");
        let near = names.of(b"a");
        assert_eq!(names.path(deep), b"a/b/c");
        assert_eq!(names.path(near), b"a");
        assert_eq!(names.path(Name::ROOT), b"");
        assert_eq!(names.of(b""), Name::ROOT);
        assert_eq!(names.of(b"a/b/c"), deep);
        assert!(near < deep, "a directory comes before what is in it");
    }

    #[test]
    fn beginnings_are_shared() {
        let mut names = Names::default();
        let deep = b"d/".repeat(10_000);
        for file in 0..100 {
            let path = [&deep[..], format!("{file}").as_bytes()].concat();
            let name = names.of(&path);
            assert_eq!(names.path(name), path);
        }
        assert_eq!(names.nodes.len(), 10_100);
    }
}
