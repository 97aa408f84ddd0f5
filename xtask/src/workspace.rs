//! Where things are: the sources, the build's output, the programs on the PATH.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;
use xshell::Shell;

/// The workspace that this xtask belongs to, and a shell that stands in its root.
pub(crate) struct Workspace {
    sh: Shell,
    target: PathBuf,
}

impl Workspace {
    /// Finds the workspace that cargo runs xtask for. Where xtask was compiled would
    /// mislead: clones of the repository may share a build directory, and one xtask.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let sh = Shell::new()?;
        // A relative CARGO_TARGET_DIR counts from where cargo was called.
        let target = sh
            .var_os("CARGO_TARGET_DIR")
            .map(|target| sh.current_dir().join(target));
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask lies below the workspace's root")?;
        sh.change_dir(root);
        Ok(Self {
            target: target.unwrap_or_else(|| root.join("target")),
            sh,
        })
    }

    /// Returns the shell.
    pub(crate) fn sh(&self) -> &Shell {
        &self.sh
    }

    /// Returns the directory that cargo builds into; xtask keeps its own results there
    /// as well, so that `cargo clean` removes them.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Puts a directory before all others on the PATH of the programs called from now
    /// on.
    pub(crate) fn prepend_path(&self, directory: &Path) -> anyhow::Result<()> {
        let path = self.sh.var_os("PATH").unwrap_or_default();
        let directories = [directory.to_path_buf()]
            .into_iter()
            .chain(env::split_paths(&path));
        self.sh.set_var("PATH", env::join_paths(directories)?);
        Ok(())
    }

    /// Finds a program as a shell would. Besides the PATH it looks in `sbin`, which is
    /// not on every user's PATH.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.sh.var_os("PATH").unwrap_or_default();
        let directories = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
        directories
            .map(|directory| directory.join(name))
            .find(|program| program.is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path() {
        let workspace = Workspace::open().unwrap();
        assert!(workspace.program("cargo").is_some());
        assert!(workspace.program("no-such-program-anywhere").is_none());
    }

    #[test]
    fn a_directory_put_first_wins() {
        let workspace = Workspace::open().unwrap();
        let directory = workspace.sh().create_temp_dir().unwrap();
        workspace
            .sh()
            .write_file(directory.path().join("cargo"), "")
            .unwrap();
        workspace.prepend_path(directory.path()).unwrap();
        assert_eq!(
            workspace.program("cargo"),
            Some(directory.path().join("cargo"))
        );
    }
}
