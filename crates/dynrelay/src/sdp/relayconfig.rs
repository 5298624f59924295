//! `dynrelay sdp relayconfig`: the configuration that makes Darwin Streaming Server replicate a stream.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;

use catalog::{Catalog, Offer, Place, Replica, Run, Stream};
use doctor::ipv4_of;

use super::lookup::catalogue;
use crate::context::Context;
use crate::failure::Failure;
use crate::json;
use crate::suggest;

/// Prints the relay for relayconfig.xml, and the SDP file for Darwin's own viewers.
pub(crate) fn run(context: &mut Context<'_>, name: &str, config: &Path) -> Result<(), Failure> {
    let (catalog, _) = catalogue(config)?;
    let stream = catalog.stream(name).ok_or_else(|| {
        let folder = catalog.config().streams.clone();
        let hint = suggest::hint(name, catalog.streams().map(|stream| stream.name.as_str()));
        Failure::NoStream { name: name.to_owned(), folder, hint }
    })?;
    let unfit = |what| Failure::Unfit(format!("nothing for relayconfig.xml: {name}: {what}"));
    let (xml, sdp) = relay(&catalog, stream, ipv4_of).map_err(unfit)?;
    if context.json {
        let object = serde_json::json!({ "stream": name, "relayconfig": xml, "sdp": sdp });
        return Ok(json::line(context.out, &object.to_string())?);
    }
    let first = "<!-- Into relayconfig.xml, between <RELAY_CONFIG> and </RELAY_CONFIG>. -->";
    let second = format!("<!-- Into Darwin's movie folder, as {name}.sdp. -->");
    let lines = [first].into_iter().chain(xml.lines()).chain([second.as_str()]);
    Ok(lines.chain(sdp.lines()).try_for_each(|line| context.say(line))?)
}

/// The relay and the SDP file; `address` gives an interface's address. Nothing in the relay needs
/// escaping: a stream's name has none of XML's characters, and the rest is addresses and numbers.
fn relay(
    catalog: &Catalog,
    stream: &Stream,
    address: impl Fn(&str) -> Option<Ipv4Addr>,
) -> Result<(String, String), String> {
    let replica = stream.replicas.iter().find(|replica| replica.place == Place::Group);
    let lacks = || format!("there is no [replica] with a `group` in {}.toml", stream.name);
    let replica = replica.ok_or_else(lacks)?;
    if replica.run != Run::Elsewhere {
        return Err("dynrelayd itself sends its replica; for DSS1 to do so, say run = \
                    \"elsewhere\" in [replica]"
            .into());
    }
    let from = ports(&sources(replica)?)?;
    let to = ports(&targets(replica)?)?;
    let first = replica.pairs.first().ok_or("it has no media")?;
    let sender = match first.rtp.source.senders[..] {
        [sender] => Some(pref("source_addr", sender)),
        _ => None,
    };
    let multicast = first.rtp.multicast.as_ref();
    let out = match multicast.and_then(|multicast| multicast.interface.as_deref()) {
        None => None,
        Some(name) => {
            let address = address(name);
            Some(address.ok_or_else(|| format!("the interface {name} has no IPv4 address here"))?)
        }
    };
    let ttl = multicast.map_or(1, |multicast| multicast.ttl);
    // Darwin crashes if its SDP file names the ports of an udp_source, so its viewers get a copy.
    let copy = catalog.local_copy(&stream.name).map_err(|error| error.to_string())?;
    let copied = copied(&copy, from.1.len())?;
    let mut lines = vec![
        format!("<OBJECT TYPE=\"relay\" NAME=\"{}\">", stream.name),
        "  <OBJECT CLASS=\"source\" TYPE=\"udp_source\">".to_owned(),
        pref("in_addr", from.0),
    ];
    lines.extend(sender);
    lines.extend(list(&from.1));
    lines.push("  </OBJECT>".to_owned());
    for (out, to, ports, ttl) in [(out, to.0, &to.1, ttl), (None, from.0, &copied, 1)] {
        lines.push("  <OBJECT CLASS=\"destination\" TYPE=\"udp_destination\">".to_owned());
        lines.extend(out.map(|address| pref("out_addr", address)));
        lines.push(pref("dest_addr", to));
        lines.extend(list(ports));
        lines.push(pref("ttl", ttl));
        lines.push("  </OBJECT>".to_owned());
    }
    lines.push("</OBJECT>".to_owned());
    Ok((lines.join("\n"), String::from_utf8_lossy(&copy.sdp).into_owned()))
}

/// The ports of the copy, one for each of the relay's.
fn copied(copy: &Offer, wanted: usize) -> Result<Vec<u16>, String> {
    let mut ports: Vec<u16> = copy.media.iter().map(|(_, port)| *port).collect();
    ports.dedup();
    let layers = || "it has media of several layers, and Darwin takes none".to_owned();
    (ports.len() == wanted).then_some(ports).ok_or_else(layers)
}

fn sources(replica: &Replica) -> Result<Vec<SocketAddrV4>, String> {
    replica.pairs.iter().map(|pair| v4(pair.rtp.source.socket())).collect()
}

fn targets(replica: &Replica) -> Result<Vec<SocketAddrV4>, String> {
    replica.targets().map(v4).collect()
}

fn v4(socket: SocketAddr) -> Result<SocketAddrV4, String> {
    match (socket.ip().to_canonical(), socket.port()) {
        (IpAddr::V6(_), _) => Err(format!("{socket} is IPv6, which Darwin can't relay")),
        (_, port) if port % 2 == 1 => {
            Err(format!("the RTP port of {socket} is odd, and Darwin takes even ones only"))
        }
        (IpAddr::V4(address), port) => Ok(SocketAddrV4::new(address, port)),
    }
}

/// The only address of these, and their ports.
fn ports(all: &[SocketAddrV4]) -> Result<(Ipv4Addr, Vec<u16>), String> {
    let first = *all.first().ok_or("it has no media")?.ip();
    if all.iter().any(|one| *one.ip() != first) {
        return Err("its media arrive at several addresses, and Darwin takes one per relay".into());
    }
    Ok((first, all.iter().map(SocketAddrV4::port).collect()))
}

fn pref(name: &str, value: impl ToString) -> String {
    format!("    <PREF NAME=\"{name}\">{}</PREF>", value.to_string())
}

fn list(ports: &[u16]) -> Vec<String> {
    let values = ports.iter().map(|port| format!("      <VALUE>{port}</VALUE>"));
    let begin = "    <LIST-PREF NAME=\"udp_ports\">".to_owned();
    std::iter::once(begin).chain(values).chain(["    </LIST-PREF>".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fake::Fake;

    const SDP: &str = "v=0\no=- 0 0 IN IP4 192.0.2.9\ns=-\nt=0 0\nc=IN IP4 192.0.2.1\n\
        m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 5006 RTP/AVP 14\n";

    /// The output for a stream with this NAME.toml, or the error.
    fn print(toml: &str, sdp: &str, json: bool) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("streams")).unwrap();
        let config = folder.path().join("dynrelay.toml");
        fs::write(&config, "").unwrap();
        fs::write(folder.path().join("streams/news.sdp"), sdp).unwrap();
        fs::write(folder.path().join("streams/news.toml"), toml).unwrap();
        let fake = Fake::default();
        let mut fake = if json { fake.for_programs() } else { fake };
        let printed = fake.run(|context| run(context, "news", &config));
        printed.map_err(|failure| failure.to_string())
    }

    const ELSEWHERE: &str = "[replica]\ngroup = \"239.255.1.2\"\nports = [6000, 6002]\nttl = 4\n\
        interface = \"lo\"\nrun = \"elsewhere\"\n";

    #[test]
    fn a_relay_and_an_sdp_file_that_darwin_reads() {
        let printed = print(ELSEWHERE, SDP, true).unwrap();
        let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
        let sdp = json["sdp"].as_str().unwrap();
        let ports: Vec<u16> = sdp
            .lines()
            .filter_map(|line| line.strip_prefix("m=")?.split(' ').nth(1)?.parse().ok())
            .collect();
        assert!(sdp.contains("c=IN IP4 192.0.2.1\r\n"), "{sdp}");
        let [video, audio] = ports[..] else { panic!("{sdp}") };
        assert!(video >= 20_000 && audio == video + 2, "{sdp}");
        let expected = format!(
            "\
<OBJECT TYPE=\"relay\" NAME=\"news\">
  <OBJECT CLASS=\"source\" TYPE=\"udp_source\">
    <PREF NAME=\"in_addr\">192.0.2.1</PREF>
    <LIST-PREF NAME=\"udp_ports\">
      <VALUE>5004</VALUE>
      <VALUE>5006</VALUE>
    </LIST-PREF>
  </OBJECT>
  <OBJECT CLASS=\"destination\" TYPE=\"udp_destination\">
    <PREF NAME=\"out_addr\">127.0.0.1</PREF>
    <PREF NAME=\"dest_addr\">239.255.1.2</PREF>
    <LIST-PREF NAME=\"udp_ports\">
      <VALUE>6000</VALUE>
      <VALUE>6002</VALUE>
    </LIST-PREF>
    <PREF NAME=\"ttl\">4</PREF>
  </OBJECT>
  <OBJECT CLASS=\"destination\" TYPE=\"udp_destination\">
    <PREF NAME=\"dest_addr\">192.0.2.1</PREF>
    <LIST-PREF NAME=\"udp_ports\">
      <VALUE>{video}</VALUE>
      <VALUE>{audio}</VALUE>
    </LIST-PREF>
    <PREF NAME=\"ttl\">1</PREF>
  </OBJECT>
</OBJECT>"
        );
        assert_eq!(json["relayconfig"], expected);
        let lines = print(ELSEWHERE, SDP, false).unwrap();
        let (xml, sdp) =
            lines.split_once("<!-- Into Darwin's movie folder, as news.sdp. -->\n").unwrap();
        assert!(
            xml.starts_with("<!-- Into relayconfig.xml") && sdp.starts_with("v=0\n"),
            "{lines}"
        );
    }

    #[test]
    fn no_name_needs_escaping() {
        for letter in "&<>\"'\n\u{1}é".chars() {
            assert!(!model::is_name(&format!("news{letter}")), "{letter:?}");
        }
    }

    #[test]
    fn a_known_sender_is_named() {
        let sdp = format!("{SDP}a=source-filter: incl IN IP4 * 192.0.2.9\n");
        let sdp = sdp.replace("m=video", "a=source-filter: incl IN IP4 * 192.0.2.9\nm=video");
        let printed = print(ELSEWHERE, &sdp, false).unwrap();
        assert!(printed.contains("<PREF NAME=\"source_addr\">192.0.2.9</PREF>"), "{printed}");
    }

    #[test]
    fn what_darwin_can_not_do_is_an_error() {
        let of =
            |from: &str, to: &str| print(&ELSEWHERE.replace(from, to), SDP, false).unwrap_err();
        assert!(of("elsewhere", "always").contains("dynrelayd itself sends"));
        assert!(of("239.255.1.2", "ff15::1").contains("IPv6"));
        assert!(of("6000, 6002", "6001, 6003").contains("even ones only"));
        assert!(of("\"lo\"", "\"nosuch0\"").contains("nosuch0"));
        assert!(print("", SDP, false).unwrap_err().contains("no [replica]"));
        let unknown = Fake::default().run(|context| run(context, "news", Path::new("/nosuch")));
        assert!(unknown.is_err());
    }
}
