//! RelayArg interface leads where.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{SockaddrIn, SockaddrIn6};

/// The way to an address, as the routing table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is this host's own.
    Here,
    /// Over this interface.
    Over(String),
    /// No route leads there, or it is shut off.
    None(io::ErrorKind),
}

/// Asks the kernel for a way. Nothing is sent.
pub(super) fn way(to: IpAddr) -> Way {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((to, 9))?;
        Ok(socket.local_addr()?.ip())
    });
    match from {
        Err(error) => Way::None(error.kind()),
        Ok(from) if from == to || from.is_loopback() => Way::Here,
        Ok(from) => interface_of(from).map_or(Way::Here, Way::Over),
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
    fn an_address_of_this_host_is_here() {
        assert_eq!(way("127.0.0.1".parse().unwrap()), Way::Here);
    }

    #[test]
    fn an_address_belongs_to_an_interface() {
        assert_eq!(interface_of("127.0.0.1".parse().unwrap()).as_deref(), Some("lo"));
        assert_eq!(interface_of("192.0.2.77".parse().unwrap()), None);
    }
}
