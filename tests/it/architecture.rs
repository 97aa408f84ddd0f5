//! The edges between the crates are the ones that docs/architecture.md draws.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Which of our crates each crate may use, in what it ships. `regimg-tests` is fixtures:
/// its library uses none, and everybody's tests may use it.
const EDGES: [(&str, &[&str]); 7] = [
    ("regimg-core", &[]),
    ("regimg-select", &["regimg-core"]),
    ("regimg-unpack", &["regimg-core"]),
    ("regimg-registry", &["regimg-core"]),
    (
        "regimg-resource",
        &[
            "regimg-core",
            "regimg-registry",
            "regimg-select",
            "regimg-unpack",
        ],
    ),
    ("regimg-tests", &[]),
    ("xtask", &[]),
];

/// Which crate must not be below which, however indirectly.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    ("regimg-core", &["tokio", "reqwest", "rustix"]),
    ("regimg-select", &["tokio", "reqwest", "rustix"]),
    ("regimg-unpack", &["tokio", "reqwest", "http"]),
];

#[test]
fn crates_use_only_what_the_picture_gives_them() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let ours: BTreeSet<_> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let drawn: BTreeSet<_> = EDGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(ours, drawn, "the workspace has the crates of the picture");
    for package in &metadata.packages {
        let (_, allowed) = EDGES
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .unwrap();
        for dependency in &package.dependencies {
            let is_shipped = dependency.kind != DependencyKind::Development;
            let is_ours = ours.contains(&dependency.name);
            assert!(
                !is_shipped || !is_ours || allowed.contains(&dependency.name.as_str()),
                "{} uses {}, which the architecture does not draw",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn pure_crates_have_nothing_impure_below_them() {
    let metadata = MetadataCommand::new().exec().unwrap();
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.to_string()))
        .collect();
    let shipped: BTreeMap<_, Vec<_>> = metadata
        .resolve
        .as_ref()
        .unwrap()
        .nodes
        .iter()
        .map(|node| {
            let shipped = node.deps.iter().filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|kind| kind.kind != DependencyKind::Development)
            });
            (&node.id, shipped.map(|dep| &dep.pkg).collect())
        })
        .collect();
    for (name, forbidden) in FORBIDDEN {
        let root = names
            .iter()
            .find(|(_, found)| *found == name)
            .map(|(id, _)| *id)
            .unwrap();
        let (mut below, mut queue) = (BTreeSet::new(), vec![root]);
        while let Some(id) = queue.pop() {
            if below.insert(names[id].as_str()) {
                queue.extend(&shipped[id]);
            }
        }
        for banned in forbidden {
            assert!(!below.contains(banned), "{name} has {banned} below it");
        }
    }
}
