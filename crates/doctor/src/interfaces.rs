//! The interfaces that multicast arrives on, and the routes to edges and senders.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::PathBuf;

use catalog::Catalog;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::{SockaddrIn, SockaddrIn6};

use crate::files::{Written, file_of};
use crate::finding::{Finding, Subject};

/// An interface of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its index.
    pub(crate) index: u32,
    /// Its first IPv4 address.
    pub(crate) address: Option<Ipv4Addr>,
    /// Whether it has an IPv6 address.
    pub(crate) ipv6: bool,
    /// Up, multicast and so on.
    pub(crate) flags: InterfaceFlags,
}

/// The interface of that name.
pub(crate) fn interface(name: &str) -> Option<Interface> {
    let index = if_nametoindex(name).ok()?;
    let addresses = getifaddrs().into_iter().flatten().filter(|one| one.interface_name == name);
    let flags = InterfaceFlags::empty();
    let mut interface = Interface { index, address: None, ipv6: false, flags };
    for one in addresses {
        interface.flags = one.flags;
        let Some(address) = one.address else { continue };
        let v4 = address.as_sockaddr_in().map(SockaddrIn::ip);
        interface.address = interface.address.or(v4);
        interface.ipv6 |= address.as_sockaddr_in6().is_some();
    }
    Some(interface)
}

/// The first IPv4 address of the interface of that name.
pub fn ipv4_of(name: &str) -> Option<Ipv4Addr> {
    interface(name)?.address
}

/// The faults of the interfaces that the configuration names.
pub(crate) fn findings(catalog: &Catalog, written: &Written) -> Vec<Finding> {
    named(catalog, written)
        .into_iter()
        .filter_map(|(name, place)| Some(about(&name, interface(&name))?.at(place)))
        .collect()
}

/// Each interface that the configuration names, with the first place: `[origin]`, a `[replica]`, or
/// after the `%` of an address.
fn named(catalog: &Catalog, written: &Written) -> BTreeMap<String, (PathBuf, Option<usize>)> {
    let mut named = BTreeMap::new();
    if let Some(name) = &catalog.config().origin.interface {
        named.insert(name.clone(), written.place("origin", "interface"));
    }
    for stream in catalog.streams() {
        let file = catalog.config().streams.join(format!("{}.toml", stream.name));
        let paths = stream.replicas.iter().flat_map(catalog::Replica::paths);
        let multicast = paths.filter_map(|path| path.multicast.as_ref());
        for name in multicast.filter_map(|multicast| multicast.interface.as_ref()) {
            named.entry(name.as_ref().to_owned()).or_insert((file.clone(), None));
        }
        for media in catalog.session(&stream.name).iter().flat_map(|session| &session.media) {
            for zone in media.connections.iter().filter_map(|one| one.zone.as_ref()) {
                let place = (file_of(catalog, &stream.name), Some(media.line));
                named.entry(zone.clone()).or_insert(place);
            }
        }
    }
    named
}

fn about(name: &str, interface: Option<Interface>) -> Option<Finding> {
    let about = Subject::Interfaces;
    let Some(Interface { flags, .. }) = interface else {
        let what = format!("there is no interface {name} on this host");
        let advice = format!("name one of these: {}", names());
        return Some(about.error(what, advice));
    };
    if !flags.contains(InterfaceFlags::IFF_UP) {
        let what = format!("the interface {name} is down, so nothing arrives on it");
        let advice = format!("bring it up: `ip link set {name} up`");
        return Some(about.error(what, advice));
    }
    if !flags.intersects(InterfaceFlags::IFF_MULTICAST | InterfaceFlags::IFF_LOOPBACK) {
        let what = format!("the interface {name} does not support multicast");
        let advice = format!("switch it on: `ip link set {name} multicast on`");
        return Some(about.warning(what, advice));
    }
    if !flags.intersects(InterfaceFlags::IFF_RUNNING | InterfaceFlags::IFF_LOOPBACK) {
        let what = format!("the interface {name} has no link, so nothing arrives on it");
        return Some(about.error(what, "is the cable in, and the other end up?"));
    }
    None
}

fn names() -> String {
    let mut names: Vec<String> =
        getifaddrs().into_iter().flatten().map(|one| one.interface_name).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

/// The route to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// It is an address of this host.
    Here,
    /// The route leads over this interface.
    Over(String),
    /// There is no route, or it is blocked.
    None(io::ErrorKind),
}

/// Asks the kernel for the route. Sends nothing.
pub(crate) fn route_to(to: IpAddr) -> Route {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((to, 9))?;
        Ok(socket.local_addr()?.ip())
    });
    match from {
        Err(error) => Route::None(error.kind()),
        Ok(from) if from == to || from.is_loopback() => Route::Here,
        Ok(from) => interface_of(from).map_or(Route::Here, Route::Over),
    }
}

/// The interface that has an address.
fn interface_of(address: IpAddr) -> Option<String> {
    let has = |one: &nix::ifaddrs::InterfaceAddress| {
        let its = one.address?;
        let v4 = its.as_sockaddr_in().map(SockaddrIn::ip).map(IpAddr::from);
        v4.or_else(|| its.as_sockaddr_in6().map(SockaddrIn6::ip).map(IpAddr::from))
    };
    getifaddrs().ok()?.find(|one| has(one) == Some(address)).map(|one| one.interface_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_broken_interface_is_found() {
        let missing = about("nosuch0", interface("nosuch0")).unwrap();
        assert!(missing.what.contains("no interface nosuch0"), "{missing:?}");
        assert!(missing.advice.contains("lo"), "{missing:?}");
        let with = |flags| Some(Interface { index: 1, address: None, ipv6: false, flags });
        let down = about("eth0", with(InterfaceFlags::IFF_MULTICAST)).unwrap();
        assert!(down.what.contains("is down"), "{down:?}");
        let deaf = about("tun0", with(InterfaceFlags::IFF_UP)).unwrap();
        assert!(deaf.what.contains("multicast"), "{deaf:?}");
        let unplugged = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_MULTICAST;
        assert!(about("eth0", with(unplugged)).unwrap().what.contains("has no link"));
        let good = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_LOOPBACK;
        assert_eq!(about("lo", with(good)), None);
    }

    #[test]
    fn an_address_of_this_host_is_here() {
        assert_eq!(route_to("127.0.0.1".parse().unwrap()), Route::Here);
    }

    #[test]
    fn an_address_belongs_to_an_interface() {
        assert_eq!(interface_of("127.0.0.1".parse().unwrap()).as_deref(), Some("lo"));
        assert_eq!(interface_of("192.0.2.77".parse().unwrap()), None);
    }
}
