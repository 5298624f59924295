//! Where a stream is replicated to, beside the edges.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, de};

use super::arrival::{Arrival, Arrivals};
use super::route::{Multicast, Pair, Path, Source};
use super::sdp_match::{Aim, Original, Ports, label};
use crate::config::Rtcp;

/// A replica of a stream: its packets as they came, sent to one place on this host or its network. A
/// replica that runs needs no change if it equals the one of the new catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// The place.
    pub place: Place,
    /// When it is sent.
    pub run: Run,
    /// The flows, media by media; at least one.
    pub pairs: Box<[Pair]>,
}

/// The place that a replica goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A multicast group.
    Group,
    /// The ports of the streaming server on the origin host.
    Dss,
}

/// When a replica is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// As long as the stream is in the catalogue.
    #[default]
    Always,
    /// While a relay of the stream runs.
    OnDemand,
    /// Never: another program has the encoder's port and sends the replica, and the stream is taken
    /// from the group.
    Elsewhere,
}

impl Replica {
    /// Every flow: RTP before its RTCP, pair by pair.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.pairs.iter().flat_map(|pair| std::iter::once(&pair.rtp).chain(&pair.rtcp))
    }

    /// Where each media's RTP goes.
    pub fn targets(&self) -> impl Iterator<Item = SocketAddr> {
        self.pairs.iter().map(|pair| pair.rtp.target)
    }
}

/// `[replica]` of NAME.toml.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "the section [replica]")]
pub(crate) struct Section {
    #[serde(deserialize_with = "group")]
    group: Option<IpAddr>,
    ports: Option<Vec<u16>>,
    ttl: Option<u8>,
    interface: Option<Box<str>>,
    dss: Option<Vec<u16>>,
    run: Run,
}

impl Section {
    /// The replicas that it asks for, or what is wrong with it. Multicast is on `interface`, unless
    /// the section names another.
    pub(crate) fn replicas(
        &self,
        of: Original<'_>,
        interface: Option<&Arc<str>>,
    ) -> Result<Box<[Replica]>, String> {
        self.check(of.arrivals)?;
        let group = self.group.map(|group| self.to_group(group, of, interface));
        let dss = self.dss.as_ref().map(|ports| to_dss(ports, of));
        let run = self.run;
        let replica = |place| move |pairs| Replica { place, run, pairs };
        let group = group.transpose()?.map(replica(Place::Group));
        let dss = dss.transpose()?.map(replica(Place::Dss));
        Ok(group.into_iter().chain(dss).collect())
    }

    fn to_group(
        &self,
        group: IpAddr,
        of: Original<'_>,
        interface: Option<&Arc<str>>,
    ) -> Result<Box<[Pair]>, String> {
        let ports = targets(of.arrivals, self.ports.as_deref(), "ports")?;
        let interface = self.interface(interface);
        let multicast = Some(Multicast { ttl: self.ttl.unwrap_or(1), interface }.into());
        pairs(of, &ports, &Aim { address: Some(group), rtcp: Rtcp::All, multicast })
    }

    /// Where the stream is taken from if another program sends the replica; none otherwise.
    pub(crate) fn elsewhere(
        &self,
        of: Original<'_>,
        interface: Option<&Arc<str>>,
    ) -> Option<Arrivals> {
        let address = self.group.filter(|_| self.run == Run::Elsewhere)?;
        let ports = targets(of.arrivals, self.ports.as_deref(), "ports").ok()?;
        let interface = self.interface(interface);
        let moved = |source: &Arc<Source>, port| {
            let (senders, interface) = (Box::default(), interface.clone());
            Arc::new(Source { address, port, senders, interface, named: source.named })
        };
        let arrival = |(own, &(rtp, rtcp)): (&Arrival, &Ports)| Arrival {
            rtp: moved(&own.rtp, rtp),
            rtcp: own.rtcp.as_ref().zip(rtcp).map(|(own, port)| moved(own, port)),
        };
        let media = of.arrivals.iter().zip(&ports);
        Some(media.map(|(own, ports)| own.iter().zip(ports).map(arrival).collect()).collect())
    }

    fn interface(&self, general: Option<&Arc<str>>) -> Option<Arc<str>> {
        self.interface.as_deref().map(Arc::from).or_else(|| general.cloned())
    }

    fn check(&self, arrivals: &[Box<[Arrival]>]) -> Result<(), String> {
        if self.group.is_none() && self.dss.is_none() {
            return Err("names neither a `group` nor the ports of DSS1 (`dss`)".into());
        }
        let of_group = [
            ("ports", self.ports.is_some()),
            ("ttl", self.ttl.is_some()),
            ("interface", self.interface.is_some()),
        ];
        let lone = of_group.into_iter().find(|(_, there)| *there && self.group.is_none());
        if let Some((key, _)) = lone {
            return Err(format!("has `{key}`, which is for a `group`, and names none"));
        }
        let sources = || arrivals.iter().flatten().map(|one| &one.rtp);
        let multicast = sources().any(|source| source.address.is_multicast());
        let pulled = sources().any(|source| source.pulled().is_some());
        if pulled && (self.dss.is_some() || self.run == Run::Elsewhere) {
            return Err("is for a stream with a `source`, and those go to a `group` alone".into());
        }
        if pulled && self.ports.is_none() {
            return Err("names no `ports` of the group, and its stream has a `source`".into());
        }
        if multicast && self.dss.is_some() {
            return Err("has `dss`, but the stream arrives in a group: DSS1 can join that".into());
        }
        let elsewhere = self.run == Run::Elsewhere;
        if elsewhere && (multicast || self.group.is_none() || self.dss.is_some()) {
            return Err(
                "says run = \"elsewhere\", which is for an encoder that sends to an address \
                        of this host, and another program there that sends it on to `group`, and \
                        to nowhere else"
                    .into(),
            );
        }
        Ok(())
    }
}

/// The flows to the streaming server at the address that the stream arrives at. It gets what an edge
/// gets, because such a server takes no RTCP but sender reports.
fn to_dss(ports: &[u16], of: Original<'_>) -> Result<Box<[Pair]>, String> {
    let ports = targets(of.arrivals, Some(ports), "dss")?;
    pairs(of, &ports, &Aim { address: None, rtcp: of.rtcp, multicast: None })
}

/// The target ports of each pair. `first` names the first port of each media; without it they are the
/// ports that the stream arrives on.
fn targets(
    arrivals: &[Box<[Arrival]>],
    first: Option<&[u16]>,
    key: &str,
) -> Result<Vec<Vec<Ports>>, String> {
    let Some(first) = first else {
        let port = |one: &Arrival| (one.rtp.port, one.rtcp.as_ref().map(|rtcp| rtcp.port));
        return Ok(arrivals.iter().map(|media| media.iter().map(port).collect()).collect());
    };
    if first.len() != arrivals.len() {
        let (named, media) = (first.len(), arrivals.len());
        let what =
            format!("`{key}` has {named}, and the stream has {media} media: name a port each");
        return Err(what);
    }
    let of_media = |(first, media): (&u16, &[Arrival])| {
        let steps = (0..=u16::MAX).step_by(2).zip(media);
        let ports = steps.map(|(step, one)| {
            let rtp = first.checked_add(step).filter(|rtp| *rtp != 0)?;
            let rtcp = rtp.checked_add(1)?;
            Some((rtp, one.rtcp.as_ref().map(|_| rtcp)))
        });
        ports.collect::<Option<Vec<Ports>>>()
    };
    let all: Option<Vec<_>> =
        first.iter().zip(arrivals.iter().map(|media| &**media)).map(of_media).collect();
    all.ok_or_else(|| format!("`{key}` has no port from 1 to 65534, with one above it for RTCP"))
}

/// The flows from the stream's arrivals to these ports.
fn pairs(of: Original<'_>, ports: &[Vec<Ports>], aim: &Aim) -> Result<Box<[Pair]>, String> {
    let mut pairs: Vec<Pair> = Vec::new();
    for ((media, arrivals), ports) in of.media.iter().zip(of.arrivals).zip(ports) {
        for (step, (arrival, ports)) in arrivals.iter().zip(ports).enumerate() {
            let label = label(media, step, arrivals.len());
            place(&mut pairs, aim.pair(label, media, arrival, *ports))?;
        }
    }
    // RTCP on another media's RTP port would carry or disturb that media.
    let both = |pair: &Pair| [pair.rtp.target, pair.rtp.source.socket()];
    let rtp: HashSet<SocketAddr> = pairs.iter().flat_map(both).collect();
    for pair in &mut pairs {
        let mixed =
            |path: &mut Path| [path.target, path.source.socket()].iter().any(|at| rtp.contains(at));
        pair.rtcp.take_if(mixed);
    }
    Ok(pairs.into())
}

/// Adds a pair. Media that arrive on one port can't be told apart, so they must go to one port; others
/// must go to different ports.
fn place(pairs: &mut Vec<Pair>, pair: Pair) -> Result<(), String> {
    let meets = |other: &&mut Pair| {
        other.rtp.target == pair.rtp.target || other.rtp.source.overlaps(&pair.rtp.source)
    };
    match pairs.iter_mut().find(meets) {
        None => pairs.push(pair),
        Some(other) if other.rtp == pair.rtp => {
            other.label = format!("{} + {}", other.label, pair.label);
        }
        Some(other) if other.rtp.target == pair.rtp.target => {
            let (one, two, target) = (&other.label, &pair.label, pair.rtp.target);
            return Err(format!("sends {one} and {two} to {target}: name ports that differ"));
        }
        Some(other) => {
            let (one, two, at) = (&other.label, &pair.label, pair.rtp.source.socket());
            return Err(format!("must name one port for {one} and {two}: both arrive on {at}"));
        }
    }
    Ok(())
}

/// For serde: a multicast group that may be sent to.
fn group<'de, D: Deserializer<'de>>(from: D) -> Result<Option<IpAddr>, D::Error> {
    let text = String::deserialize(from)?;
    let no = |why: &str| Err(de::Error::custom(format!("`{}` {why}", text.escape_debug())));
    match text.parse::<IpAddr>() {
        Ok(group) if !group.is_multicast() => no("is not a multicast group, such as 239.255.1.2"),
        Ok(IpAddr::V4(group)) if matches!(group.octets(), [224, 0, 0, _]) => {
            no("is for routers' own use, as all of 224.0.0.0/24; take one of 239.0.0.0/8")
        }
        Ok(group) => Ok(Some(group)),
        Err(_) => no("is not an IP address of a multicast group, such as 239.255.1.2"),
    }
}
