//! An SDP file rewritten for an edge: another address and other ports.

use std::net::IpAddr;

/// The order of lines of RFC 8866, 9, in the session's part and in a media section. `t=`, `r=` and
/// `z=` keep their order, because each belongs to the one before it.
const ORDER: [&[u8]; 12] =
    [b"vm", b"o", b"s", b"i", b"u", b"e", b"p", b"c", b"b", b"trz", b"k", b"a"];

/// Attributes that apply to the multicast alone: the senders (RFC 4570), and where RTCP goes (RFC 3605,
/// RFC 5760, RFC 6128).
const OF_THE_GROUP: [&[u8]; 4] = [b"source-filter", b"rtcp", b"rtcp-unicast", b"multicast-rtcp"];

/// The edge's ports for a media: its first RTP port, and how many there are, in steps of two.
pub(crate) type Ports = (u16, u16);

/// The lines of one part of an SDP file, without their ends.
type Part<'a> = Vec<&'a [u8]>;

/// The SDP of `original` with the same media at `address` and at these ports, one entry a media; media
/// without an entry are left out. Lines keep their bytes, except for the addresses and ports in `o=`, `c=` and `m=`. Attributes of the
/// multicast are left out, and the lines that an RTSP server may insist on (`o=`, `s=`, `t=`) are
/// added if they are missing. Lines are in the order of RFC 8866 and end in CRLF.
pub(crate) fn rewritten(original: &[u8], address: IpAddr, ports: &[Option<Ports>]) -> Vec<u8> {
    let (head, media) = parts(original);
    let mut out = Vec::with_capacity(original.len() + 128);
    let mut write = |line: &[u8]| {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    };
    session_part(head, address).iter().for_each(|line| write(line));
    for (media, ports) in media.into_iter().zip(ports) {
        let lines = ports.map(|ports| media_part(media, ports)).unwrap_or_default();
        lines.iter().for_each(|line| write(line));
    }
    out
}

/// The session's part, and the media sections.
fn parts(bytes: &[u8]) -> (Part<'_>, Vec<Part<'_>>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    let (mut head, mut sections) = (Part::new(), Vec::<Part<'_>>::new());
    for line in lines.filter(|line| !line.is_empty()) {
        match sections.last_mut() {
            _ if line.starts_with(b"m=") => sections.push(vec![line]),
            Some(media) => media.push(line),
            None => head.push(line),
        }
    }
    (head, sections)
}

fn session_part(head: Part<'_>, address: IpAddr) -> Vec<Vec<u8>> {
    let origin = head.iter().find(|line| line.starts_with(b"o=")).copied().unwrap_or_default();
    let mut lines = vec![owner(origin, address), format!("c={}", at(address)).into_bytes()];
    for (key, default) in [("s=", "s=-"), ("t=", "t=0 0")] {
        if !head.iter().any(|line| line.starts_with(key.as_bytes())) {
            lines.push(default.into());
        }
    }
    lines.extend(head.into_iter().filter(|line| stays(line)).map(<[u8]>::to_vec));
    in_order(lines)
}

fn media_part(media: Part<'_>, ports: Ports) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> =
        media.into_iter().filter(|line| stays(line)).map(<[u8]>::to_vec).collect();
    if let Some(first) = lines.first_mut() {
        *first = with_ports(first, ports);
    }
    in_order(lines)
}

/// `IN IP4 198.51.100.7`
fn at(address: IpAddr) -> String {
    format!("IN {} {address}", if address.is_ipv4() { "IP4" } else { "IP6" })
}

/// The `o=` line with the edge's address. A line that is missing or malformed is replaced.
fn owner(line: &[u8], address: IpAddr) -> Vec<u8> {
    let text = String::from_utf8_lossy(line.strip_prefix(b"o=").unwrap_or_default());
    let words: Vec<&str> = text.split_whitespace().collect();
    let said = match words[..] {
        [user, id, version, _, _, _] => format!("{user} {id} {version}"),
        _ => "- 0 0".to_owned(),
    };
    format!("o={said} {}", at(address)).into_bytes()
}

/// The `m=` line with these ports.
fn with_ports(line: &[u8], (first, count): Ports) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if let Some(port) = words.get_mut(1) {
        *port = if count == 1 { first.to_string() } else { format!("{first}/{count}") };
    }
    words.join(" ").into_bytes()
}

/// Whether a line stays as it is. `o=` and `c=` are replaced, and an absolute URL of a track would
/// lead viewers to the server that the file came from.
fn stays(line: &[u8]) -> bool {
    if line.starts_with(b"o=") || line.starts_with(b"c=") {
        return false;
    }
    let Some(attribute) = line.strip_prefix(b"a=") else { return true };
    let (name, value) = match attribute.iter().position(|&byte| byte == b':') {
        Some(colon) => (&attribute[..colon], &attribute[colon..]),
        None => (attribute, &attribute[attribute.len()..]),
    };
    let name = name.trim_ascii();
    let absolute = value.windows(3).any(|three| three == b"://");
    let elsewhere = name == b"control" && absolute;
    !OF_THE_GROUP.contains(&name) && !elsewhere
}

/// The lines in the RFC's order; lines with an unknown letter are last.
fn in_order(mut lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let rank = |line: &Vec<u8>| {
        let key = line.first().copied().unwrap_or_default();
        ORDER.iter().position(|keys| keys.contains(&key)).unwrap_or(ORDER.len())
    };
    lines.sort_by_key(rank);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_dss2(sdp: &str, ports: &[Option<Ports>]) -> String {
        let out = rewritten(sdp.as_bytes(), "198.51.100.7".parse().unwrap(), ports);
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("\r\n"));
        text.replace("\r\n", "\n")
    }

    #[test]
    fn addresses_and_ports_become_the_edges() {
        let sdp = "v=0\no=ann 17 3 IN IP4 192.0.2.10\ns=News\nc=IN IP4 239.1.2.3/32\nt=0 0\n\
            a=source-filter: incl IN IP4 239.1.2.3 192.0.2.10\na=recvonly\n\
            m=video 5004 RTP/AVP 96\nc=IN IP4 239.1.2.4/32\nb=AS:1500\na=rtpmap:96 H264/90000\n\
            a=rtcp:7001 IN IP4 239.1.2.9\na=fmtp:96 packetization-mode=1; x=Z0LAHtkD==\n\
            a=rtcp-fb:96 nack\na=control:rtsp://192.0.2.10/news/streamid=0\n\
            m=whiteboard 32416 UDP WB\na=orient:portrait\nm=audio 5006 RTP/AVP 14\na=control:trackID=2\n";
        let offered = "v=0\no=ann 17 3 IN IP4 198.51.100.7\ns=News\nc=IN IP4 198.51.100.7\nt=0 0\n\
            a=recvonly\nm=video 48028 RTP/AVP 96\nb=AS:1500\na=rtpmap:96 H264/90000\n\
            a=fmtp:96 packetization-mode=1; x=Z0LAHtkD==\na=rtcp-fb:96 nack\n\
            m=audio 48030/2 RTP/AVP 14\na=control:trackID=2\n";
        assert_eq!(at_dss2(sdp, &[Some((48028, 1)), None, Some((48030, 2))]), offered);
    }

    #[test]
    fn missing_lines_are_added_and_all_are_in_order() {
        let sdp = "v=0\na=tool:x\nb=AS:1\nt=1 2\nr=1 2 3\nt=3 4\nm=audio 5004 RTP/AVP 0\n\
            a=ptime:20\nb=AS:64\ni=talk\n";
        let offered = "v=0\no=- 0 0 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nb=AS:1\n\
            t=1 2\nr=1 2 3\nt=3 4\na=tool:x\nm=audio 6000 RTP/AVP 0\ni=talk\nb=AS:64\na=ptime:20\n";
        assert_eq!(at_dss2(sdp, &[Some((6000, 1))]), offered);
        assert!(at_dss2("v=0\nm=audio 1 RTP/AVP 0\n", &[Some((6000, 1))]).contains("\nt=0 0\n"));
    }

    #[test]
    fn bytes_that_are_not_utf_8_stay() {
        let sdp = b"v=0\ns=Caf\xe9\nm=audio 5004 RTP/AVP 0\n";
        let out = rewritten(sdp, "2001:db8::7".parse().unwrap(), &[Some((6000, 1))]);
        assert!(out.windows(8).any(|bytes| bytes == b"s=Caf\xe9\r\n"));
        assert!(out.windows(20).any(|bytes| bytes == b"c=IN IP6 2001:db8::7"));
    }
}
