//! The groups that this host is a member of, by the kernel's lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use catalog::{Catalog, Source};

use crate::daemon::Running;
use crate::finding::{Finding, Subject};

const ABOUT: Subject = Subject::Groups;

/// /proc/net/igmp and igmp6, interface by interface.
#[derive(Debug, Default)]
struct Memberships {
    groups: BTreeMap<String, BTreeSet<IpAddr>>,
    /// The version of IGMP on an interface: `V2`, `V3`.
    igmp: BTreeMap<String, String>,
}

/// Finds groups of open relays that this host is not a member of, and source-specific streams on
/// interfaces with an old IGMP.
pub(crate) fn findings(catalog: &Catalog, running: Option<&Running>) -> Vec<Finding> {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let (v4, v6) = (read("/proc/net/igmp"), read("/proc/net/igmp6"));
    if v4.is_empty() && v6.is_empty() {
        let what = "can't see which groups this host is a member of (/proc/net/igmp)";
        return vec![ABOUT.unknown(what, "check where /proc is mounted")];
    }
    let memberships = Memberships::parse(&v4, &v6);
    let mut findings = memberships.missing(catalog, running);
    findings.extend(memberships.without_senders(catalog));
    findings
}

impl Memberships {
    fn parse(v4: &str, v6: &str) -> Self {
        let mut memberships = Self::default();
        let mut device = String::new();
        for line in v4.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            // `2  eth0 : 2 V3`, then one indented line for each group.
            match (line.starts_with(char::is_whitespace), &words[..]) {
                (false, [_, name, rest @ ..]) => {
                    device = name.trim_end_matches(':').to_owned();
                    let version = rest.last().copied().unwrap_or_default().to_owned();
                    memberships.igmp.insert(device.clone(), version);
                }
                (true, [group, ..]) => {
                    // The address is printed as the number in memory.
                    let Ok(raw) = u32::from_str_radix(group, 16) else { continue };
                    memberships.add(&device, Ipv4Addr::from(raw.to_ne_bytes()).into());
                }
                _ => {}
            }
        }
        for line in v6.lines() {
            let mut words = line.split_whitespace().skip(1);
            let (Some(device), Some(group)) = (words.next(), words.next()) else { continue };
            let Ok(raw) = u128::from_str_radix(group, 16) else { continue };
            memberships.add(device, Ipv6Addr::from(raw).into());
        }
        memberships
    }

    fn add(&mut self, device: &str, group: IpAddr) {
        self.groups.entry(device.to_owned()).or_default().insert(group);
    }

    fn holds(&self, source: &Source) -> bool {
        match &source.interface {
            Some(name) => self.groups.get(&**name).is_some_and(|all| all.contains(&source.address)),
            None => self.groups.values().any(|all| all.contains(&source.address)),
        }
    }

    fn missing(&self, catalog: &Catalog, running: Option<&Running>) -> Vec<Finding> {
        let mut missing: BTreeMap<(IpAddr, Option<&str>), &str> = BTreeMap::new();
        for detail in running.into_iter().flat_map(Running::open) {
            let Ok(route) = catalog.route(&detail.relay.stream, &detail.relay.edge) else {
                continue;
            };
            let sources = route.paths().map(|path| &path.source);
            for source in sources.filter(|one| one.address.is_multicast() && !self.holds(one)) {
                let place = (source.address, source.interface.as_deref());
                missing.entry(place).or_insert(&detail.relay.stream);
            }
        }
        let finding = |((group, interface), stream): ((IpAddr, Option<&str>), &str)| {
            let on = interface.map(|name| format!(" on {name}")).unwrap_or_default();
            let what = format!(
                "{stream} is relayed, but this host is no member of its group {group}{on}, so that \
                 nothing arrives"
            );
            let advice = "did [origin] interface change, or the interface go? `dynrelay reload`, \
                          and see the log: `journalctl -u dynrelayd`";
            ABOUT.error(what, advice)
        };
        missing.into_iter().map(finding).collect()
    }

    /// IGMPv2 knows no senders. A router with IGMPv2 forwards the packets of all senders, or none of
    /// a source-specific group.
    fn without_senders(&self, catalog: &Catalog) -> Vec<Finding> {
        let sources = catalog
            .streams()
            .flat_map(|stream| stream.routes().map(move |route| (&stream.name, route)))
            .flat_map(|(name, route)| route.paths().map(move |path| (name, &path.source)));
        let specific = sources.filter(|(_, source)| !source.senders.is_empty());
        let mut found: BTreeMap<&str, &str> = BTreeMap::new();
        for (stream, source) in specific {
            let old = source.interface.as_deref().filter(|name| {
                matches!(self.igmp.get(*name).map(String::as_str), Some("V1" | "V2"))
            });
            if let Some(interface) = old {
                found.entry(interface).or_insert(stream);
            }
        }
        let finding = |(interface, stream): (&str, &str)| {
            let what = format!(
                "{interface} speaks IGMPv2, which knows no senders, and {stream} is for one sender \
                 only"
            );
            let advice = "have the network's IGMP querier speak version 3, and see \
                          net.ipv4.conf.*.force_igmp_version";
            ABOUT.warning(what, advice)
        };
        found.into_iter().map(finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_the_kernels_lists() {
        let raw = u32::from_ne_bytes([239, 1, 2, 3]);
        let v4 = format!(
            "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
             1\tlo        :     1      V3\n\t\t\t\t{raw:08X}     1 0:00000000\t\t0\n\
             7\tstudio    :     1      V2\n\t\t\t\t{raw:08X}     1 0:00000000\t\t0\n"
        );
        let v6 = "2    eth0            ff150000000000000000000000000001     1 00000004 0\n";
        let memberships = Memberships::parse(&v4, v6);
        let source = |address: &str, interface: Option<&str>| Source {
            address: address.parse().unwrap(),
            port: 5004,
            senders: Box::default(),
            named: Default::default(),
            interface: interface.map(Into::into),
        };
        assert!(memberships.holds(&source("239.1.2.3", Some("studio"))));
        assert!(memberships.holds(&source("239.1.2.3", None)));
        assert!(memberships.holds(&source("ff15::1", Some("eth0"))));
        assert!(!memberships.holds(&source("239.1.2.3", Some("eth0"))));
        assert!(!memberships.holds(&source("239.1.2.4", None)));
        assert_eq!(memberships.igmp["studio"], "V2");
    }
}
