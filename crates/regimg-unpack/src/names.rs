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

    /// Returns the name of what a name is in, and its last component.
    pub(crate) fn split(&self, name: Name) -> (Name, &[u8]) {
        self.node(name)
            .map_or((Name::ROOT, b""), |node| (node.parent, &node.component))
    }

    /// Returns an order in which a directory is followed by all that is in it, at any depth,
    /// before anything else comes.
    pub(crate) fn preorder(&self) -> Order {
        // How many names are in each, itself included; those in it have greater names.
        let mut sizes = vec![1; self.nodes.len() + 1];
        for (index, node) in self.nodes.iter().enumerate().rev() {
            sizes[node.parent.0] += sizes[index + 1];
        }
        // Where the next of what is in each goes.
        let mut next = vec![1; sizes.len()];
        let mut order = vec![0; sizes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let (name, parent) = (index + 1, node.parent.0);
            order[name] = next[parent];
            next[name] = next[parent] + 1;
            next[parent] += sizes[name];
        }
        Order(order)
    }

    fn node(&self, name: Name) -> Option<&Node> {
        self.nodes.get(name.0.checked_sub(1)?)
    }
}

/// An order of names.
#[derive(Debug)]
pub(crate) struct Order(Vec<usize>);

impl Order {
    /// Returns a name's place. One that was added since comes last.
    pub(crate) fn of(&self, name: Name) -> usize {
        self.0.get(name.0).copied().unwrap_or(usize::MAX)
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
    fn what_is_in_a_directory_comes_after_it_and_before_others() {
        let mut names = Names::default();
        let paths = ["a", "b", "b/c", "a/d", "b/c/e", "a/f", "g", "a/d/h", "b/i"];
        let mut sorted: Vec<_> = paths
            .map(|path| (names.of(path.as_bytes()), path))
            .into_iter()
            .collect();
        let order = names.preorder();
        sorted.sort_unstable_by_key(|&(name, _)| order.of(name));
        let sorted: Vec<_> = sorted.into_iter().map(|(_, path)| path).collect();
        assert_eq!(
            sorted,
            ["a", "a/d", "a/d/h", "a/f", "b", "b/c", "b/c/e", "b/i", "g"]
        );
        assert_eq!(order.of(Name::ROOT), 0);
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
