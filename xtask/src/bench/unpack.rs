//! `cargo xtask bench unpack`: an image's layers, made a directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use xshell::cmd;

use super::measure::{self, Row};
use crate::flags;
use crate::images;
use crate::workspace::Workspace;

/// Measures every image that is asked for.
pub(crate) fn run(workspace: &Workspace, flags: &flags::Unpack) -> anyhow::Result<()> {
    let default = |name: &str| workspace.target().join(name);
    let images = flags.images.clone().unwrap_or_else(|| default("images"));
    let scratch = flags.scratch.clone().unwrap_or_else(|| default("bench"));
    let is_built = |name: &String| images.join(name).join("index.json").exists();
    if !images.exists() || !flags.names.iter().all(is_built) {
        images::run(workspace, &images, &flags.names)?;
    }
    fs::create_dir_all(&scratch).with_context(|| format!("creating {}", scratch.display()))?;
    let program = build(workspace)?;
    for layout in layouts(&images, &flags.names)? {
        let bench = Bench::prepare(workspace, &program, &layout, &scratch)?;
        bench.print(flags.runs.unwrap_or(3))?;
    }
    Ok(())
}

/// Builds the program that is measured, as it is released.
fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let sh = workspace.sh();
    cmd!(
        sh,
        "cargo build --locked --release --package regimg-unpack --example unpack"
    )
    .run()?;
    Ok(workspace.target().join("release/examples/unpack"))
}

/// Finds the images' OCI layouts.
fn layouts(images: &Path, names: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let mut layouts = Vec::new();
    for entry in fs::read_dir(images)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_wanted = names.is_empty() || names.iter().any(|wanted| *wanted == name);
        if is_wanted && path.join("index.json").exists() {
            layouts.push(path);
        }
    }
    layouts.sort();
    Ok(layouts)
}

/// One image, and where it is unpacked.
struct Bench<'a> {
    workspace: &'a Workspace,
    program: &'a Path,
    layout: &'a Path,
    name: String,
    /// Where each program unpacks to, emptied before.
    root: PathBuf,
    /// The layers' files, the lowest first.
    layers: Vec<PathBuf>,
    /// The same, decompressed.
    plain: PathBuf,
}

impl<'a> Bench<'a> {
    fn prepare(
        workspace: &'a Workspace,
        program: &'a Path,
        layout: &'a Path,
        scratch: &Path,
    ) -> anyhow::Result<Self> {
        let name = layout.file_name().unwrap_or_default().to_string_lossy();
        let sh = workspace.sh();
        let layers = cmd!(sh, "{program} layers {layout}").quiet().read()?;
        let bench = Self {
            workspace,
            program,
            layout,
            root: scratch.join("root"),
            layers: layers.lines().map(PathBuf::from).collect(),
            plain: scratch.join(format!("{name}.plain")),
            name: name.into_owned(),
        };
        bench.decompress()?;
        Ok(bench)
    }

    /// Keeps the layers decompressed, for the floor of writing alone.
    fn decompress(&self) -> anyhow::Result<()> {
        if self.plain.exists() {
            return Ok(());
        }
        let unfinished = self.plain.with_extension("unfinished");
        self.workspace.sh().remove_path(&unfinished)?;
        fs::create_dir_all(&unfinished)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let target = unfinished.join(format!("{index:03}.tar"));
            let status = Command::new("gzip")
                .args(["--decompress", "--stdout"])
                .stdin(File::open(layer)?)
                .stdout(File::create(target)?)
                .status()?;
            ensure!(status.success(), "gzip cannot read {}", layer.display());
        }
        fs::rename(unfinished, &self.plain)?;
        Ok(())
    }

    /// Runs everything in turn, as often as asked for, and prints the table.
    fn print(&self, runs: usize) -> anyhow::Result<()> {
        let mut contenders = self.contenders();
        for _ in 0..runs {
            for (row, command) in &mut contenders {
                self.empty()?;
                let taken = measure::run(command);
                row.runs
                    .push(taken.with_context(|| format!("measuring {}", row.name))?);
            }
        }
        let mut rows: Vec<Row> = contenders.into_iter().map(|(row, _)| row).collect();
        rows[0].note = self.system_calls()?;
        self.empty()?;
        let (packed, plain) = (size(&self.layers)?, size(&files(&self.plain)?)?);
        eprintln!(
            "\n{}: {} layers, {} MB packed, {} MB plain; {runs} runs\n{}",
            self.name,
            self.layers.len(),
            packed / 1_000_000,
            plain / 1_000_000,
            measure::table(&rows)
        );
        Ok(())
    }

    /// Everybody who is on this machine, ourselves first.
    fn contenders(&self) -> Vec<(Row, Command)> {
        let (program, root, layout) = (self.program, &self.root, self.layout);
        let ours = |mode: &str, layout: &Path| {
            let mut command = Command::new(program);
            command.arg(mode).arg(layout);
            command
        };
        let mut contenders = Vec::new();
        let mut command = ours("apply", layout);
        command.arg(root);
        contenders.push((Row::new("regimg"), command));
        contenders.push((Row::new("  decompress only"), ours("decompress", layout)));
        let mut command = ours("write", &self.plain);
        command.arg(root);
        contenders.push((Row::new("  write only, one thread"), command));
        if self.workspace.program("umoci").is_some() {
            let mut command = Command::new("umoci");
            let image = format!("{}:latest", layout.display());
            command
                .args(["unpack", "--image", &image])
                .arg(root.join("bundle"));
            contenders.push((Row::new("umoci unpack"), command));
        }
        for (name, extract) in [
            ("bsdtar", "bsdtar -xpf \"$layer\" -C \"$root\""),
            (
                "tar",
                "gzip -dc \"$layer\" | tar --numeric-owner --xattrs --xattrs-include='*' -xp -C \"$root\"",
            ),
        ] {
            if self.workspace.program(name).is_some() {
                let mut row = Row::new(if name == "tar" { "gzip | tar" } else { name });
                "no whiteouts".clone_into(&mut row.note);
                contenders.push((row, self.each_layer(extract)));
            }
        }
        contenders
    }

    /// A shell that extracts layer by layer.
    fn each_layer(&self, extract: &str) -> Command {
        let script = format!("root=$1; shift; for layer; do {extract} || exit; done");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).arg(&self.root);
        command.args(&self.layers);
        command
    }

    /// Counts our system calls, where strace is there to do it.
    fn system_calls(&self) -> anyhow::Result<String> {
        if self.workspace.program("strace").is_none() {
            return Ok("(no strace to count system calls)".to_owned());
        }
        self.empty()?;
        let output = Command::new("strace")
            .args([
                "--follow-forks",
                "--summary-only",
                "--summary-columns=calls,name",
            ])
            .arg(self.program)
            .arg("apply")
            .args([self.layout, &self.root])
            .stdin(Stdio::null())
            .output()?;
        let (told, counted) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let entries: Option<f64> = told.split(' ').next().and_then(|word| word.parse().ok());
        let calls = counted.lines().rev().find_map(|line| {
            line.trim()
                .strip_suffix("total")?
                .trim()
                .parse::<f64>()
                .ok()
        });
        match (entries, calls) {
            (Some(entries), Some(calls)) => {
                Ok(format!("{:.1} system calls an entry", calls / entries))
            }
            _ => bail!("strace has counted nothing: {counted}"),
        }
    }

    fn empty(&self) -> anyhow::Result<()> {
        self.workspace.sh().remove_path(&self.root)?;
        fs::create_dir_all(&self.root)?;
        Ok(())
    }
}

fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

fn size(files: &[PathBuf]) -> anyhow::Result<u64> {
    files.iter().map(|file| Ok(fs::metadata(file)?.len())).sum()
}
