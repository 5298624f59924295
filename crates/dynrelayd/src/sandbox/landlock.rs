//! Limits the files within reach, by Landlock (landlock(7)).

use std::path::{Path, PathBuf};

use catalog::Config;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

/// The latest version of Landlock that is used. An older kernel provides less.
const LATEST: ABI = ABI::V6;

/// Files that the C library reads to resolve an edge's name, and that std reads to count
/// processors. The rules are for folders, because a replaced file would be out of reach.
const SYSTEM: [&str; 9] = [
    "/etc",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/proc/self",
    "/sys/fs/cgroup",
];

/// The rights to write the state file beside itself and rename it, and to set aside another file in
/// its place.
const KEEP: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | WriteFile | Truncate | MakeReg | RemoveFile | MakeDir | RemoveDir | MakeFifo | MakeSym
});

/// The folders within reach. A folder that does not exist at startup stays out of reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// May be read: the folder of dynrelay.toml, and the streams.
    pub(crate) read: Vec<PathBuf>,
    /// May be written to: the folder of the state file.
    pub(crate) write: PathBuf,
    /// May be removed from: the folder of the control socket.
    pub(crate) clear: PathBuf,
}

/// How far the kernel supports the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fenced {
    Fully,
    Partly,
    NotAtAll,
}

impl Fence {
    /// The rules for this configuration.
    pub(crate) fn of(config: &Path, says: &Config) -> Self {
        Self {
            read: vec![folder(config), says.streams.clone()],
            write: folder(&says.daemon.state),
            clear: folder(&says.daemon.socket),
        }
    }
}

/// Applies the rules to this thread and those that it starts. Also forbids listening on TCP and
/// signals to other processes.
pub(crate) fn fence(around: &Fence) -> Result<Fenced, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(LATEST))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::Signal)?;
    // Some service managers receive READY over an abstract socket.
    if !std::env::var_os("NOTIFY_SOCKET").is_some_and(|at| at.as_encoded_bytes().starts_with(b"@"))
    {
        rules = rules.scope(Scope::AbstractUnixSocket)?;
    }
    let look = AccessFs::ReadFile | AccessFs::ReadDir;
    let done = rules
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, look))?
        .add_rules(path_beneath_rules(&around.read, look))?
        .add_rules(path_beneath_rules([&around.write], KEEP))?
        .add_rules(path_beneath_rules([&around.clear], AccessFs::RemoveFile))?
        .restrict_self()?;
    Ok(match done.ruleset {
        RulesetStatus::FullyEnforced => Fenced::Fully,
        RulesetStatus::PartiallyEnforced => Fenced::Partly,
        RulesetStatus::NotEnforced => Fenced::NotAtAll,
    })
}

/// The folder of a file.
fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => file.to_owned(),
    }
}
