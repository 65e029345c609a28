//! Compiled components on disk: `<sha256 of the component>-<compiler>.cwasm` and its digest
//! beside it, in a folder that only this user may enter.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::CompileFailure;
use crate::HostError;
use crate::package::hex;

const SCRATCH_PREFIX: &str = "scratch-";
/// After this time a scratch file belongs to a process that died.
const SCRATCH_AGE_MAX: Duration = Duration::from_secs(3_600);

/// The folder.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn open(folder: &Path) -> Result<Self, HostError> {
        let failed = |source| HostError::Cache {
            path: folder.to_owned(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
        let metadata = fs::symlink_metadata(folder).map_err(failed)?;
        if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(failed(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "must be a folder that belongs to the user who runs this server",
            )));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        let cache = Self {
            folder: folder.to_owned(),
        };
        cache.remove_left_overs();
        Ok(cache)
    }

    fn remove_left_overs(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let now = SystemTime::now();
        for entry in entries.flatten() {
            let is_scratch = entry
                .file_name()
                .to_string_lossy()
                .starts_with(SCRATCH_PREFIX);
            let age = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
                .and_then(|modified| now.duration_since(modified).ok());
            if is_scratch && age.is_some_and(|age| age > SCRATCH_AGE_MAX) {
                remove(&entry.path());
            }
        }
    }

    fn machine_code(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.cwasm"))
    }

    fn digest(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.sha256"))
    }

    /// What was stored under the name, if it still is what was stored.
    pub(super) fn load(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.machine_code(name);
        let machine_code = match read_own(&path) {
            Ok(machine_code) => machine_code,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "can't read a cached component");
                return None;
            }
        };
        let kept = read_own(&self.digest(name)).unwrap_or_default();
        if kept == digest_text(&machine_code).as_bytes() {
            return Some(machine_code);
        }
        tracing::warn!(
            path = %path.display(),
            "a cached component is not what was stored; it will be compiled again"
        );
        None
    }

    /// The digest comes last: a crash between the two leaves something that isn't loaded.
    pub(super) fn store(&self, name: &str, machine_code: &[u8]) -> Result<(), HostError> {
        self.replace(&self.machine_code(name), machine_code)?;
        self.replace(&self.digest(name), digest_text(machine_code).as_bytes())
    }

    fn replace(&self, path: &Path, contents: &[u8]) -> Result<(), HostError> {
        let scratch = self.scratch_path();
        create_own(&scratch, contents)
            .and_then(|()| fs::rename(&scratch, path))
            .map_err(|source| {
                remove(&scratch);
                HostError::Cache {
                    path: path.to_owned(),
                    source,
                }
            })
    }

    fn scratch_path(&self) -> PathBuf {
        self.folder
            .join(format!("{SCRATCH_PREFIX}{}", Uuid::now_v7().simple()))
    }

    /// Files for one compilation.
    pub(super) fn scratch(&self, component: &[u8]) -> Result<Scratch, HostError> {
        let input = self.scratch_path();
        let output = self.scratch_path();
        create_own(&input, component).map_err(|source| HostError::Cache {
            path: input.clone(),
            source,
        })?;
        Ok(Scratch { input, output })
    }
}

/// Input and output of a compilation; gone when it is over.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) input: PathBuf,
    pub(super) output: PathBuf,
}

impl Scratch {
    pub(super) fn output(&self, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        let failed = |source| HostError::Cache {
            path: self.output.clone(),
            source,
        };
        let length = fs::symlink_metadata(&self.output).map_err(failed)?.len();
        if length > bytes_max {
            return Err(CompileFailure::Invalid(format!(
                "it becomes {length} bytes of machine code; at most {bytes_max} are allowed"
            ))
            .into());
        }
        read_own(&self.output).map_err(failed)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.input);
        remove(&self.output);
    }
}

fn digest_text(machine_code: &[u8]) -> String {
    hex(&Sha256::digest(machine_code))
}

/// A new file that only this user may read.
pub(super) fn create_own(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

/// A regular file of this user's; a link to somewhere else is none.
fn read_own(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "not a plain file of this user's",
        ));
    }
    let mut contents = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    File::open(path)?.read_to_end(&mut contents)?;
    Ok(contents)
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), %error, "can't remove a file"),
    }
}
