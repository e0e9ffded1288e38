//! Gives the code a digest, so that parties can compare what they run.

use sha2::{Digest, Sha256};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What decides how a party computes, relative to the workspace.
const SOURCES: [&str; 5] = ["Cargo.lock", "mpc-core/src", "protocols/src", "nn/src", "runner/src"];

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..");
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", workspace.join(source).display());
        collect(&workspace, Path::new(source), &mut files)?;
    }
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        let (name, content) = (file.to_string_lossy(), fs::read(workspace.join(&file))?);
        for part in [name.as_bytes(), &content] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    let digest: String =
        digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    println!("cargo:rustc-env=TERCET_SOURCE_DIGEST={digest}");
    if let Some(commit) = commit(&workspace) {
        println!("cargo:rustc-env=TERCET_COMMIT={commit}");
    }
    Ok(())
}

/// The commit that is checked out, if there is one. It is for people: the digest is exact, the
/// commit is that of the last time the sources changed, and may lack changes on top of it.
fn commit(workspace: &Path) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.current_dir(workspace).args(["rev-parse", "--short=12", "HEAD"]).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// All files below a path, as paths relative to the workspace.
fn collect(workspace: &Path, path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let full = workspace.join(path);
    if !full.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(&full)? {
        collect(workspace, &path.join(entry?.file_name()), files)?;
    }
    Ok(())
}
