//! Which files may be touched, by Landlock (landlock(7)).

use std::path::{Path, PathBuf};

use catalog::Config;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

/// The latest Landlock that is made use of; on an older kernel what it has is used.
const LATEST: ABI = ABI::V6;

/// What the C library reads to resolve an edge's name, and std to count the processors it may
/// use. Folders, since a file that is replaced would be out of reach.
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

/// What is needed to write the state file beside itself and rename it, and to set aside whatever is
/// in its place.
const KEEP: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | WriteFile | Truncate | MakeReg | RemoveFile | MakeDir | RemoveDir | MakeFifo | MakeSym
});

/// The folders within reach; what isn't there when the fence is put up stays out of reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// May be read: where dynrelay.toml is, and the streams.
    pub(crate) read: Vec<PathBuf>,
    /// May be written to: where the state file is.
    pub(crate) write: PathBuf,
    /// May be removed from: where the control socket is.
    pub(crate) clear: PathBuf,
}

/// How well the fence holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fenced {
    Fully,
    Partly,
    NotAtAll,
}

impl Fence {
    /// The fence for this configuration.
    pub(crate) fn of(config: &Path, says: &Config) -> Self {
        Self {
            read: vec![folder(config), says.streams.clone()],
            write: folder(&says.daemon.state),
            clear: folder(&says.daemon.socket),
        }
    }
}

/// Puts up the fence around this thread and those it will start. Nothing listens on TCP either, and
/// no other process is signalled.
pub(crate) fn fence(around: &Fence) -> Result<Fenced, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(LATEST))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::Signal)?;
    // Some service managers are told of READY over an abstract socket.
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

/// The folder that a file is in.
fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => file.to_owned(),
    }
}
