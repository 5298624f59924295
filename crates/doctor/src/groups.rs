//! The groups that streams arrive in. Each is joined briefly; running relays are not affected.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::PathBuf;

use catalog::Catalog;
use catalog::sdp::Media;
use nix::errno::Errno;
use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};

use crate::files::file_of;
use crate::finding::{Finding, Subject};
use crate::interfaces::{Interface, interface};

/// At most so many addresses of a media are tried. The catalogue rejects more.
const MAX_ADDRESSES: usize = 512;

/// Where packets arrive, without the port: a group, or an address of this host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    address: IpAddr,
    sender: Option<IpAddr>,
    interface: Option<String>,
}

/// Tries each group of all streams once. Groups on a missing interface are left out, because that is
/// a finding of its own.
pub(crate) fn findings(catalog: &Catalog) -> Vec<Finding> {
    let interface = catalog.config().origin.interface.as_deref();
    let mut arrivals: BTreeMap<Arrival, (PathBuf, Option<usize>)> = BTreeMap::new();
    // A pulled stream does not arrive where its file says.
    for stream in catalog.streams().filter(|stream| stream.source.is_none()) {
        for media in catalog.session(&stream.name).iter().flat_map(|session| &session.media) {
            let place = (file_of(catalog, &stream.name), Some(media.line));
            for arrival in arrivals_of(media, interface) {
                arrivals.entry(arrival).or_insert_with(|| place.clone());
            }
        }
    }
    let failing =
        arrivals.into_iter().filter_map(|(arrival, place)| Some((failing(&arrival)?, place)));
    failing.map(|(finding, place)| finding.at(place)).collect()
}

fn arrivals_of(media: &Media, interface: Option<&str>) -> Vec<Arrival> {
    let mut senders: Vec<Option<IpAddr>> =
        media.allowed_senders().iter().map(|sender| Some(sender.to_canonical())).collect();
    if senders.is_empty() {
        senders.push(None);
    }
    let own = media.connections.iter().flat_map(|connection| {
        connection.addresses().map(move |address| (address, connection.zone.as_deref()))
    });
    let rtcp = media.rtcp.and_then(|rtcp| rtcp.address).map(|address| (address, None));
    own.chain(rtcp)
        .map(|(address, zone)| (address.to_canonical(), zone))
        .filter(|(address, _)| !address.is_unspecified())
        .take(MAX_ADDRESSES)
        .flat_map(|(address, zone)| {
            let interface = zone.or(interface).map(str::to_owned);
            let of = move |sender| Arrival { address, sender, interface: interface.clone() };
            senders.iter().copied().map(of)
        })
        .collect()
}

fn failing(arrival: &Arrival) -> Option<Finding> {
    let Arrival { address, sender, interface: name } = arrival;
    if !address.is_multicast() {
        return not_here(*address);
    }
    let on = match name {
        None => None,
        // A missing interface is a finding of its own.
        Some(name) => Some(interface(name)?),
    };
    let joined = join(*address, *sender, on);
    let deaf = || address.is_ipv6() && on.is_some_and(|interface| !interface.ipv6);
    // Linux joins an IPv6 group even if IPv6 is off, and then nothing arrives.
    let error = joined.err().or_else(|| deaf().then(|| Errno::EADDRNOTAVAIL.into()))?;
    let on = name.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
    let from = sender.map(|sender| format!(" from {sender}")).unwrap_or_default();
    let what = format!("the group {address}{from} can't be joined{on}: {error}");
    Some(Subject::Groups.error(what, advice(&error)))
}

/// A unicast address must be this host's.
fn not_here(address: IpAddr) -> Option<Finding> {
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if link_local || UdpSocket::bind((address, 0)).is_ok() {
        return None;
    }
    let what = format!("{address} is neither a group nor an address of this host");
    let advice = "a stream's own SDP names where its packets arrive here: its group, or this \
                  host's address; the edge's ports belong in STREAM.EDGE.sdp";
    Some(Subject::Groups.error(what, advice))
}

/// Joins on a socket without a port, so that it receives nothing. The socket leaves the group when
/// it closes.
fn join(group: IpAddr, sender: Option<IpAddr>, interface: Option<Interface>) -> io::Result<()> {
    match (group, sender) {
        (IpAddr::V4(group), Some(IpAddr::V4(sender))) => {
            let any = Some(Ipv4Addr::UNSPECIFIED);
            match interface.map_or(any, |interface| interface.address) {
                Some(address) => socket(Domain::IPV4)?.join_ssm_v4(&sender, &group, &address),
                None => join_v4(group, interface),
            }
        }
        (IpAddr::V4(group), _) => join_v4(group, interface),
        (IpAddr::V6(group), _) => join_v6(group, interface),
    }
}

fn join_v4(group: Ipv4Addr, interface: Option<Interface>) -> io::Result<()> {
    let unspecified = InterfaceIndexOrAddress::Address(Ipv4Addr::UNSPECIFIED);
    let on = interface.map_or(unspecified, |one| InterfaceIndexOrAddress::Index(one.index));
    socket(Domain::IPV4)?.join_multicast_v4_n(&group, &on)
}

/// There is no safe call to join an IPv6 group for one sender. A join for all senders fails for the
/// same reasons, and routers ignore it in source-specific groups (RFC 4607, 6).
fn join_v6(group: Ipv6Addr, interface: Option<Interface>) -> io::Result<()> {
    socket(Domain::IPV6)?.join_multicast_v6(&group, interface.map_or(0, |one| one.index))
}

fn socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::DGRAM, None)
}

fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENODEV) => "no route leads to it: set [origin] interface in dynrelay.toml",
        Some(Errno::EADDRNOTAVAIL) => {
            "the interface has no address of that family: is IPv6 switched off on it?"
        }
        Some(Errno::EAFNOSUPPORT) => "IPv6 is switched off on this host: switch it on, or use IPv4",
        Some(Errno::ENOBUFS) => {
            "the kernel's limit is reached: raise net.ipv4.igmp_max_memberships, and \
             net.ipv4.igmp_max_msf or net.ipv6.mld_max_msf"
        }
        _ => "see that the interface is the one that the encoder's packets come in on",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(address: &str, sender: Option<&str>, interface: &str) -> Arrival {
        let address = address.parse().unwrap();
        let sender = sender.map(|sender| sender.parse().unwrap());
        Arrival { address, sender, interface: Some(interface.into()) }
    }

    #[test]
    fn groups_are_joined_on_the_loopback() {
        assert_eq!(failing(&arrival("239.1.2.3", None, "lo")), None);
        assert_eq!(failing(&arrival("232.1.2.3", Some("192.0.2.1"), "lo")), None);
        assert_eq!(failing(&arrival("127.0.0.1", None, "lo")), None);
    }

    #[test]
    fn an_address_of_another_host_is_found() {
        let finding = failing(&arrival("192.0.2.1", None, "lo")).unwrap();
        assert!(finding.what.contains("192.0.2.1 is neither"), "{finding:?}");
    }

    #[test]
    fn a_missing_interface_is_no_finding_of_its_groups() {
        assert_eq!(failing(&arrival("239.1.2.3", None, "nosuch0")), None);
    }

    #[test]
    fn a_failed_join_says_why() {
        let gone = Interface { index: u32::MAX >> 1, ..interface("lo").unwrap() };
        let error = join("239.1.2.3".parse().unwrap(), None, Some(gone)).unwrap_err();
        assert!(advice(&error).contains("[origin] interface"), "{error}");
        assert!(join("ff15::1".parse().unwrap(), None, Some(gone)).is_err());
    }

    #[test]
    fn a_group_is_useless_if_ipv6_is_off() {
        let v6 = failing(&arrival("ff15::1", None, "lo"));
        assert_eq!(v6.is_none(), interface("lo").unwrap().ipv6, "{v6:?}");
    }

    #[test]
    fn every_address_of_a_media_is_tried() {
        let sdp = b"v=0\nc=IN IP4 239.1.2.3/16/3\nm=video 5004/3 RTP/AVP 96\n\
            m=audio 6000 RTP/AVP 14\nc=IN IP6 ff15::1%eth7\na=rtcp:7001 IN IP4 239.9.9.9\n";
        let session = catalog::sdp::Session::parse(sdp).unwrap();
        let tried: Vec<String> = session
            .media
            .iter()
            .flat_map(|media| arrivals_of(media, Some("eth0")))
            .map(|arrival| format!("{} {}", arrival.address, arrival.interface.unwrap()))
            .collect();
        let expected = [
            "239.1.2.3 eth0",
            "239.1.2.4 eth0",
            "239.1.2.5 eth0",
            "ff15::1 eth7",
            "239.9.9.9 eth0",
        ];
        assert_eq!(tried, expected);
    }
}
