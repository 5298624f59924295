//! Writes a log of so many bytes, to measure with: `generate daemon|journal|darwin BYTES`.
//!
//! Ninety days, 40 streams, 6 edges, viewers in 20,000 networks. It is the same at each run.

use std::io::{self, BufWriter, Write};

use report::date;

const DAYS: u64 = 90;
/// The first of them.
const FROM: u64 = 19_900;

/// Numbers that look random enough (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn client(&mut self) -> String {
        let network = self.roll(20_000);
        format!(
            "{}.{}.{}.{}",
            81 + network / 10_000,
            network / 100 % 100,
            network % 100,
            self.roll(254) + 1
        )
    }
}

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let kind = words.next().unwrap_or_default();
    let bytes = words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(1_000_000);
    let (mut dice, mut written) = (Dice(7), 0);
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    if kind == "darwin" {
        writeln!(out, "#Software: QTSS\n#Version: 6.0.3\n#Remark: all time values are in GMT.")?;
        writeln!(out, "{HEADER}")?;
    }
    while written < bytes {
        // As much of the time has gone as of the bytes.
        let gone = u128::from(DAYS * 86_400_000) * u128::from(written) / u128::from(bytes);
        let at = FROM * 86_400_000 + u64::try_from(gone).unwrap_or(0);
        let text = match kind.as_str() {
            "darwin" => session(&mut dice, at),
            "journal" => life(&mut dice, at, journal),
            _ => life(&mut dice, at, json),
        };
        out.write_all(text.as_bytes())?;
        written += text.len() as u64;
    }
    out.flush()
}

/// As Darwin Streaming Server 6.0.3 writes it.
const HEADER: &str = "#Fields: c-ip date time c-dns cs-uri-stem c-starttime x-duration c-rate c-status \
    c-playerid c-playerversion c-playerlanguage cs(User-Agent) c-os c-osversion c-cpu filelength \
    filesize avgbandwidth protocol transport audiocodec videocodec sc-bytes cs-bytes c-bytes \
    s-pkts-sent c-pkts-received c-pkts-lost-client c-buffercount c-totalbuffertime c-quality s-ip \
    s-dns s-totalclients s-cpu-util cs-uri-query c-username sc(Realm) ";

fn session(dice: &mut Dice, at: u64) -> String {
    let (date, time) = moment(at);
    let (client, seconds, edge) = (dice.client(), dice.roll(7200), dice.roll(6) + 2);
    let status = [200, 200, 200, 200, 504, 452][usize::try_from(dice.roll(6)).unwrap_or(0)];
    let (stream, bytes) = (dice.roll(40), seconds * 150_000);
    let packets = bytes / 1200;
    format!(
        "{client} {date} {} - /stream{stream}.sdp 0 {seconds} 1 {status} {client} 7.7.5 en \
         QTS%20(qtver=7.7.5;os=Windows%20NT%206.1) Windows NT%206.1 x86 0 0 1200000 RTP UDP \
         mpeg4-generic H264 {bytes} 840 {bytes} {packets} {packets} 0 1 3 100 198.51.100.{edge} \
         dss{edge}.example.net {} 1 - - - \n",
        &time[..8],
        dice.roll(100),
    )
}

/// Writes an entry: when, the event, its fields, the message.
type WriteEntry = fn(u64, &str, &[(&str, String)], &str) -> String;

/// All that is logged of one relay.
fn life(dice: &mut Dice, at: u64, entry: WriteEntry) -> String {
    let edge = dice.roll(6) + 2;
    let whose = |more: &[(&'static str, String)], stream: u64| {
        let mut fields =
            vec![("stream", format!("stream{stream}")), ("edge", format!("dss{edge}"))];
        fields.extend_from_slice(more);
        fields
    };
    let stream = dice.roll(40);
    let seconds = dice.roll(3600) + 20;
    let address = format!("198.51.100.{edge}");
    let mut text = entry(at, "opened", &whose(&[("address", address)], stream), "a relay starts");
    for (later, state) in [(0, "starting"), (20, "live"), (seconds, "suspect")] {
        let message = format!("the relay is {state}");
        let state = whose(&[("state", state.to_owned())], stream);
        text += &entry(at + later * 1000, "state", &state, &message);
    }
    for _ in 0..dice.roll(8) + 1 {
        let who = whose(&[("client", dice.client()), ("count", "1".to_owned())], stream);
        text +=
            &entry(at + dice.roll(seconds) * 1000, "start", &who, "viewers are sent to the edge");
    }
    let bytes = seconds * 150_000;
    let end = [
        ("reason", "no-viewers".to_owned()),
        ("seconds", seconds.to_string()),
        ("packets", (bytes / 1200).to_string()),
        ("bytes", bytes.to_string()),
        ("refusals", "20".to_owned()),
        ("lost", "0".to_owned()),
        ("drops", "0".to_owned()),
        ("gaps", "0".to_owned()),
    ];
    text + &entry(at + seconds * 1000, "closed", &whose(&end, stream), "the relay is closed")
}

fn json(at: u64, event: &str, fields: &[(&str, String)], message: &str) -> String {
    let (date, time) = moment(at);
    let mut line =
        format!("{{\"time\":\"{date}T{time}Z\",\"level\":\"info\",\"event\":\"{event}\"");
    for (name, value) in fields {
        let number = value.bytes().all(|byte| byte.is_ascii_digit());
        let quote = if number { "" } else { "\"" };
        line += &format!(",\"{name}\":{quote}{value}{quote}");
    }
    line + &format!(",\"message\":\"{message}\"}}\n")
}

/// As `journalctl -o json` prints it, with the fields that it adds.
fn journal(at: u64, event: &str, fields: &[(&str, String)], message: &str) -> String {
    let mut line = format!(
        "{{\"_BOOT_ID\":\"0b6f1a2c3d4e5f60718293a4b5c6d7e8\",\"_CMDLINE\":\"/usr/bin/dynrelayd\",\
         \"_COMM\":\"dynrelayd\",\"_EXE\":\"/usr/bin/dynrelayd\",\"_GID\":\"997\",\"_HOSTNAME\":\
         \"origin\",\"_MACHINE_ID\":\"f0e1d2c3b4a5968778695a4b3c2d1e0f\",\"_PID\":\"812\",\
         \"_SYSTEMD_CGROUP\":\"/system.slice/dynrelayd.service\",\"_SYSTEMD_UNIT\":\
         \"dynrelayd.service\",\"_TRANSPORT\":\"journal\",\"_UID\":\"997\",\"PRIORITY\":\"6\",\
         \"SYSLOG_IDENTIFIER\":\"dynrelayd\",\"__CURSOR\":\"s=7c1;i=2f;b=0b6f;m=5b;t=5f;x=9a\",\
         \"__MONOTONIC_TIMESTAMP\":\"91283746\",\"__REALTIME_TIMESTAMP\":\"{}\",\"EVENT\":\"{event}\"",
        at * 1000,
    );
    for (name, value) in fields {
        line += &format!(",\"{}\":\"{value}\"", name.to_uppercase());
    }
    line + &format!(",\"MESSAGE\":\"{message}\"}}\n")
}

/// A date and a time with microseconds, of milliseconds since 1970.
fn moment(at: u64) -> (String, String) {
    let (seconds, millis) = (at / 1000, at % 1000);
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    let time = format!("{hours:02}:{minutes:02}:{:02}.{millis:03}000", seconds % 60);
    (date(seconds / 86_400), time)
}
