//! A visitor of the socket, and their permissions by file modes. Ignores access control lists.

use std::ffi::CString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// The default user of the web server.
pub(crate) const WEB_USER: &str = "www-data";

/// A user with their groups, or an otherwise unknown member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// For messages: `the user www-data`.
    pub(crate) name: String,
    uid: Option<Uid>,
    gids: Vec<Gid>,
}

impl Visitor {
    /// A user of this host.
    pub(crate) fn user(user: &User) -> Self {
        let own = CString::new(user.name.as_str()).ok();
        let all = own.and_then(|name| getgrouplist(&name, user.gid).ok());
        Self {
            name: format!("the user {}", user.name),
            uid: Some(user.uid),
            gids: all.unwrap_or_else(|| vec![user.gid]),
        }
    }

    /// Any member of a group.
    pub(crate) fn member(group: &Group) -> Self {
        let (name, gid) = (&group.name, group.gid);
        Self { name: format!("the group {name} ({gid})"), uid: None, gids: vec![gid] }
    }

    /// Whether the file's mode gives the permission: 1 to pass, 2 to write, or both.
    pub(crate) fn may(&self, file: &Metadata, right: u32) -> bool {
        let shift = if self.uid == Some(Uid::from_raw(file.uid())) {
            6
        } else if self.is_member(Gid::from_raw(file.gid())) {
            3
        } else {
            0
        };
        let wanted = right << shift;
        self.uid == Some(Uid::from_raw(0)) || file.mode() & wanted == wanted
    }

    /// Whether they are in the group.
    pub(crate) fn is_member(&self, group: Gid) -> bool {
        self.uid == Some(Uid::from_raw(0)) || self.gids.contains(&group)
    }
}
