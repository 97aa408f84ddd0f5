//! `cargo xtask images`: images of real file systems, to try the resource on.
//!
//! mmdebstrap makes the base; buildah runs a Dockerfile's steps on it and writes the
//! layers, so that their whiteouts, hard links and extended attributes are those that a
//! builder in daily use writes. Takes root and a Debian mirror.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use xshell::{Shell, cmd};

use crate::workspace::Workspace;

/// An image that can be built.
struct Recipe {
    name: &'static str,
    /// The steps on top of the base; each `RUN` is a layer.
    dockerfile: &'static str,
}

macro_rules! recipe {
    ($name:literal) => {
        Recipe {
            name: $name,
            dockerfile: include_str!(concat!("images/", $name, ".dockerfile")),
        }
    };
}

const RECIPES: [Recipe; 4] = [
    recipe!("debian"),
    recipe!("debian-many"),
    recipe!("node-small-files"),
    recipe!("big-blob"),
];

/// The Debian release that the images are made of.
const SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";

/// Where this machine has the authorities that it trusts, and where a recipe that speaks
/// TLS finds them: a proxy's own may be among them.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
const MOUNTED_CERTIFICATES: &str = "/run/certificates.crt";

/// Builds images into a directory: each as `NAME.tar`, an archive as `docker save`
/// writes it, as `NAME`, an OCI layout, and as `NAME.tree`, the files it stands for.
pub(crate) fn run(workspace: &Workspace, directory: &Path, names: &[String]) -> anyhow::Result<()> {
    let recipes = choose(names)?;
    let sh = workspace.sh();
    ensure!(
        cmd!(sh, "id -u").quiet().read()? == "0",
        "building the images takes root"
    );
    for program in ["mmdebstrap", "buildah"] {
        ensure!(
            workspace.program(program).is_some(),
            "building the images takes {program} (apt-get install {program})"
        );
    }
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let directory = fs::canonicalize(directory)?;
    for recipe in recipes {
        build(workspace, &directory, recipe)
            .with_context(|| format!("building the image {}", recipe.name))?;
    }
    Ok(())
}

fn choose(names: &[String]) -> anyhow::Result<Vec<&'static Recipe>> {
    let find = |name: &String| match RECIPES.iter().find(|recipe| recipe.name == name) {
        Some(recipe) => Ok(recipe),
        None => bail!(
            "no image is called {name:?}; there are {}",
            RECIPES.map(|recipe| recipe.name).join(", ")
        ),
    };
    if names.is_empty() {
        Ok(RECIPES.iter().collect())
    } else {
        names.iter().map(find).collect()
    }
}

/// Builds one image, unless it is there already.
fn build(workspace: &Workspace, directory: &Path, recipe: &Recipe) -> anyhow::Result<()> {
    let name = recipe.name;
    let archive = directory.join(format!("{name}.tar"));
    let (layout, tree) = (directory.join(name), directory.join(format!("{name}.tree")));
    // The tree is the last to be written.
    if tree.exists() {
        eprintln!("{name}: {} is there", tree.display());
        return Ok(());
    }
    let sh = workspace.sh();
    for unfinished in [&archive, &layout] {
        sh.remove_path(unfinished)?;
    }
    let store = Store {
        sh,
        directory: directory.join("work"),
    };
    store.import(&base(sh, directory)?)?;
    store.build(recipe)?;
    let (archive, layout) = (archive.display(), layout.display());
    store.buildah(&[
        "push",
        "--quiet",
        name,
        &format!("docker-archive:{archive}:localhost/{name}:latest"),
    ])?;
    store.buildah(&["push", "--quiet", name, &format!("oci:{layout}:latest")])?;
    store.copy_tree(name, &tree)?;
    eprintln!("{name}: {archive}, {layout} and {}", tree.display());
    Ok(())
}

/// Makes the archive of a minimal Debian, unless it is there already.
fn base(sh: &Shell, directory: &Path) -> anyhow::Result<PathBuf> {
    let (base, unfinished) = (
        directory.join("work/base.tar"),
        directory.join("work/unfinished.tar"),
    );
    sh.create_dir(directory.join("work"))?;
    if !base.exists() {
        cmd!(
            sh,
            "mmdebstrap --quiet --mode=root --variant=minbase {SUITE} {unfinished} {MIRROR}"
        )
        .run()?;
        fs::rename(unfinished, &base)?;
    }
    Ok(base)
}

/// A storage of buildah's, apart from the one that the machine's user has.
struct Store<'a> {
    sh: &'a Shell,
    directory: PathBuf,
}

impl Store<'_> {
    /// Calls buildah on this storage. With the overlay driver a directory that a step
    /// removes and makes again is an opaque one in its layer.
    fn buildah(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let (root, run) = (self.directory.join("root"), self.directory.join("run"));
        let buildah = cmd!(
            self.sh,
            "buildah --root {root} --runroot {run} --storage-driver overlay"
        );
        Ok(buildah.args(arguments).read()?)
    }

    /// Makes the image `base` of a root filesystem's archive.
    fn import(&self, archive: &Path) -> anyhow::Result<()> {
        let archive = archive.to_str().context("a path that is not UTF-8")?;
        let container = self.buildah(&["from", "scratch"])?;
        self.buildah(&["add", "--quiet", &container, archive, "/"])?;
        self.buildah(&["commit", "--quiet", "--rm", &container, "localhost/base"])?;
        Ok(())
    }

    /// Runs a recipe's steps, each as a layer.
    fn build(&self, recipe: &Recipe) -> anyhow::Result<()> {
        let context = self.sh.create_temp_dir()?;
        let file = context.path().join("Dockerfile");
        self.sh.write_file(&file, recipe.dockerfile)?;
        let file = file.to_str().context("a path that is not UTF-8")?;
        let context = context
            .path()
            .to_str()
            .context("a path that is not UTF-8")?;
        let mut arguments = vec!["build", "--isolation=chroot", "--layers", "--file", file];
        let volume = format!("--volume={CERTIFICATES}:{MOUNTED_CERTIFICATES}:ro");
        if recipe.dockerfile.contains(MOUNTED_CERTIFICATES) {
            arguments.push(&volume);
        }
        arguments.extend(["--tag", recipe.name, context]);
        self.buildah(&arguments)?;
        Ok(())
    }

    /// Copies the files that an image stands for, as buildah mounts them.
    fn copy_tree(&self, name: &str, tree: &Path) -> anyhow::Result<()> {
        let container = self.buildah(&["from", name])?;
        let mounted = self.buildah(&["mount", &container])?;
        let unfinished = tree.with_extension("unfinished");
        self.sh.remove_path(&unfinished)?;
        cmd!(self.sh, "cp --archive {mounted} {unfinished}").run()?;
        self.buildah(&["rm", &container])?;
        fs::rename(unfinished, tree)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_chosen_by_name() {
        let chosen = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            choose(&names)
                .map(|recipes| recipes.iter().map(|recipe| recipe.name).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["debian"]).unwrap(), ["debian"]);
        assert_eq!(chosen(&[]).unwrap().len(), RECIPES.len());
        assert_eq!(
            chosen(&["debain"]).unwrap_err().to_string(),
            "no image is called \"debain\"; there are debian, debian-many, node-small-files, big-blob"
        );
    }
}
