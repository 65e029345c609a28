//! The workspace's secret: what signs cursors (and later sessions) and encrypts secrets.
//!
//! Given as `RELATA_SECRET_KEY`, or made once in the data folder, readable by its owner alone.
//! Several processes on one database must be given the same one.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rand::{TryRng as _, rngs::SysRng};
use relata_store::Purpose;
use relata_store::read::CursorKey;
use sha2::{Digest as _, Sha256};

use crate::config::Config;

const FILE_NAME: &str = "secret.key";
/// Random bytes of a key that is made here.
const KEY_BYTES: usize = 32;
/// Fewest characters of a key that is given: as many bits as a cursor's code is worth.
const GIVEN_CHARACTERS_MIN: usize = 16;

/// The secret key can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The file can't be read or made.
    #[error("the secret key in {} can't be used; make the data folder writable, or set RELATA_SECRET_KEY", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes for a secret key; set RELATA_SECRET_KEY")]
    Random,
    /// The key that was given is too easy to guess.
    #[error(
        "RELATA_SECRET_KEY has fewer than {GIVEN_CHARACTERS_MIN} characters; `openssl rand -hex 32` makes a good one"
    )]
    Short,
}

/// What cursors are signed with.
pub(crate) fn cursor_key(config: &Config, purpose: Purpose) -> Result<CursorKey, SecretKeyError> {
    let secret = secret(config, purpose)?;
    // Each use has a key of its own, so that none tells about another.
    let digest = Sha256::new()
        .chain_update("relata cursors\0")
        .chain_update(&secret)
        .finalize();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    Ok(CursorKey::new(key))
}

fn secret(config: &Config, purpose: Purpose) -> Result<Vec<u8>, SecretKeyError> {
    if let Some(given) = &config.secret_key {
        if given.reveal().chars().count() < GIVEN_CHARACTERS_MIN {
            return Err(SecretKeyError::Short);
        }
        return Ok(given.reveal().as_bytes().to_vec());
    }
    let path = config.data_dir.join(FILE_NAME);
    match purpose {
        Purpose::Change => kept(&path),
        // Who only looks makes no folders; its cursors go to nobody.
        Purpose::Look => std::fs::read(&path).or_else(|_| random()),
    }
}

fn kept(path: &Path) -> Result<Vec<u8>, SecretKeyError> {
    let failed = |source| SecretKeyError::File {
        path: path.to_owned(),
        source,
    };
    match std::fs::read(path) {
        Ok(key) if key.len() >= KEY_BYTES => return Ok(key),
        Ok(_cut_short) => {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it is cut short");
            return Err(failed(source));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let key = random()?;
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()));
    match made {
        Ok(()) => Ok(key),
        // Another process was faster; what it made holds.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::read(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn random() -> Result<Vec<u8>, SecretKeyError> {
    let mut key = vec![0; KEY_BYTES];
    SysRng
        .try_fill_bytes(&mut key)
        .map_err(|_| SecretKeyError::Random)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join(FILE_NAME);
        let made = kept(&path).unwrap();
        assert_eq!(made.len(), KEY_BYTES);
        assert_eq!(kept(&path).unwrap(), made);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        assert!(kept(&path).is_err());
    }
}
