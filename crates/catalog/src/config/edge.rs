//! The servers that streams are relayed to.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::url::RtspUrl;
use model::{MAX_NAME, is_name};

/// A streaming server that viewers are sent to: an `[[edge]]` of dynrelay.toml.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "the section [[edge]]")]
pub struct Edge {
    /// Its name in file names, requests and logs; see [`is_name`].
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Where RTP is sent: the address of one host.
    #[serde(deserialize_with = "address")]
    pub address: IpAddr,
    /// Where viewers are sent.
    pub url: RtspUrl,
    /// The kind of its consent.
    #[serde(default)]
    pub consent: Consent,
    /// The viewers it is nearest to. Others may be sent to it too.
    #[serde(default, deserialize_with = "networks")]
    pub serves: Vec<IpNet>,
}

/// The kinds of an edge's consent to take a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// Its SDP file in the streams folder.
    #[default]
    File,
    /// That file, and its answer to an RTSP DESCRIBE. Not for Darwin Streaming Server: there a
    /// DESCRIBE alone opens the ports and never closes them.
    Describe,
}

impl Edge {
    /// The keys that have no default.
    pub(crate) const KEYS: [&str; 3] = ["name", "address", "url"];

    /// Where a viewer watches `stream`.
    pub fn viewer_url(&self, stream: &str) -> String {
        self.url.viewer_url(stream)
    }

    /// How near it is to `client`: the length of the longest prefix in `serves` that contains the
    /// address; none if no prefix does.
    pub fn nearness(&self, client: IpAddr) -> Option<u8> {
        nearness(&self.serves, client)
    }
}

/// The length of the longest of the prefixes that contain `client`. An IPv4 client of an IPv6 socket
/// (`::ffff:192.0.2.1`) counts as IPv4.
pub(super) fn nearness(networks: &[IpNet], client: IpAddr) -> Option<u8> {
    let client = client.to_canonical();
    networks.iter().filter(|net| net.contains(&client)).map(IpNet::prefix_len).max()
}

/// For serde: networks, or single addresses.
pub(super) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    #[derive(Deserialize)]
    struct Network(#[serde(deserialize_with = "network")] IpNet);
    Ok(Vec::<Network>::deserialize(from)?.into_iter().map(|Network(network)| network).collect())
}

fn network<'de, D: Deserializer<'de>>(from: D) -> Result<IpNet, D::Error> {
    let text = String::deserialize(from)?;
    let network = text.parse().ok();
    network.or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?))).ok_or_else(|| {
        let what = "is not a network: write for example 192.0.2.0/24 or 2001:db8::/32";
        de::Error::custom(format!("`{}` {what}", text.escape_debug()))
    })
}

fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if is_name(&text) {
        return Ok(text);
    }
    Err(de::Error::custom(format!(
        "`{}` is not a name: 1 to {MAX_NAME} letters, digits, `.`, `_` and `-`, and not a dot \
         first",
        text.escape_debug()
    )))
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<IpAddr, D::Error> {
    let text = String::deserialize(from)?;
    let no = |why: &str| Err(de::Error::custom(format!("`{}` {why}", text.escape_debug())));
    let Ok(address) = text.parse::<IpAddr>() else {
        return no("is not an IP address; names are not looked up, so write the number");
    };
    match address.to_canonical() {
        address if address.is_multicast() => no("is a multicast group; an edge is one host"),
        IpAddr::V4(Ipv4Addr::BROADCAST) => no("is every host's address; an edge is one host"),
        // 0.0.0.0/8 and 240.0.0.0/4 (RFC 6890); a packet to 0.0.0.0 would go to this host.
        IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240 => {
            no("is no host's address")
        }
        IpAddr::V6(v6) if v6.is_unspecified() => no("is no host's address"),
        IpAddr::V6(v6) if v6.segments()[..6] == [0; 6] && !v6.is_loopback() => {
            no("is an IPv4-compatible address, which nothing routes (RFC 4291, 2.5.5.1)")
        }
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            no("is link-local, so its link is not known; use a global address")
        }
        address => Ok(address),
    }
}
