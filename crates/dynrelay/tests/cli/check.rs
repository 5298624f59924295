//! `dynrelay check` and `dynrelay sdp show` on files, mostly without a daemon.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::thread::JoinHandle;

use serde_json::Value;

use crate::sandbox::{Ended, Sandbox};

const PONG: &str =
    concat!(r#"{"ok":{"version":""#, env!("CARGO_PKG_VERSION"), r#"","pid":0,"uptime":60}}"#);
const NO_RELAYS: &str = r#"{"ok":{"relays":[]}}"#;

const STREAM: &str = "v=0\ns=News\nc=IN IP4 239.255.77.1/1\nm=video 5004 RTP/AVP 96\n\
    a=rtpmap:96 H264/90000\n";
const CONSENT: &str = "v=0\ns=News\nc=IN IP4 127.0.0.2\nm=video 6970 RTP/AVP 96\n\
    a=rtpmap:96 H264/90000\n";

fn config(sandbox: &Sandbox, interface: &str, more: &str) -> String {
    let (socket, state) = (sandbox.socket(), sandbox.path("lib/state.json"));
    let text = format!(
        "[daemon]\nsocket = \"{}\"\n{more}\nstate = \"{}\"\nreceive_buffer = 4096\n[origin]\n\
         interface = \"{interface}\"\n\n[[edge]]\n\
         name = \"dss2\"\naddress = \"127.0.0.2\"\nurl = \"rtsp://{}\"\n",
        socket.display(),
        state.display(),
        sandbox.rtsp()
    );
    sandbox.write("dynrelay.toml", &text).display().to_string()
}

/// A configuration that is sound on every Linux host: it uses the loopback interface and the group
/// `root`.
fn sound(interface: &str, group: &str) -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("lib")).unwrap();
    open(&sandbox, "", 0o755);
    open(&sandbox, "lib", 0o777);
    sandbox.write("streams/news.sdp", STREAM);
    sandbox.write("streams/news.dss2.sdp", CONSENT);
    let config = config(&sandbox, interface, &format!("socket_group = \"{group}\""));
    (sandbox, config)
}

fn open(sandbox: &Sandbox, folder: &str, mode: u32) {
    std::fs::set_permissions(sandbox.path(folder), Permissions::from_mode(mode)).unwrap();
}

/// Checks with root as the web server's user, who may do everything.
fn check(sandbox: &Sandbox, config: &str, more: &[&str]) -> Ended {
    sandbox.run(&[&["check", "--config", config, "--web-user", "root"], more].concat())
}

/// A daemon without relays.
fn idle_daemon(sandbox: &Sandbox) -> JoinHandle<String> {
    let daemon = sandbox.daemon(&[PONG, NO_RELAYS]);
    std::fs::set_permissions(sandbox.socket(), Permissions::from_mode(0o660)).unwrap();
    daemon
}

fn findings(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn a_sound_configuration() {
    let (sandbox, config) = sound("lo", "root");
    let daemon = idle_daemon(&sandbox);
    let ended = check(&sandbox, &config, &[]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    let sound = format!("{config}: 1 stream, 1 edge. Nothing is wrong.");
    assert!(ended.out.lines().last().unwrap().starts_with(&sound), "{}", ended.out);
    daemon.join().unwrap();
    std::fs::remove_file(sandbox.socket()).unwrap();

    let daemon = idle_daemon(&sandbox);
    let json = findings(&check(&sandbox, &config, &["--json"]));
    assert_eq!((&json["errors"], &json["warnings"]), (&0.into(), &0.into()), "{json}");
    // The fake daemon has no process, and check must say so.
    let what = |one: &Value| one["what"].as_str().unwrap().contains("process 0 can't be seen");
    let unknown = json["findings"].as_array().unwrap().iter().filter(|one| what(one));
    assert_eq!(unknown.map(|one| &one["severity"]).collect::<Vec<_>>(), ["unknown"], "{json}");
    daemon.join().unwrap();
}

#[test]
fn everything_in_one_go() {
    let (sandbox, config) = sound("nosuch0", "no-such-group");
    // The files are wrong in five ways: an unknown edge, a file that does not fit, a stream without
    // an edge, a file that is not SDP, and a loop.
    sandbox.write("streams/news.dss9.sdp", CONSENT);
    sandbox.write("streams/film.sdp", &STREAM.replace("239.255.77.1", "239.255.77.2"));
    sandbox.write("streams/film.dss2.sdp", &CONSENT.replace("H264", "H265"));
    sandbox.write("streams/lone.sdp", &STREAM.replace("239.255.77.1", "239.255.77.3"));
    sandbox.write("streams/junk.sdp", "junk");
    sandbox.write("streams/round.sdp", &STREAM.replace("239.255.77.1", "127.0.0.2"));
    sandbox.write("streams/round.dss2.sdp", &CONSENT.replace("6970", "5004"));
    let ended = check(&sandbox, &config, &["--json"]);
    assert_eq!(ended.code, Some(1));
    let json = findings(&ended);
    let found = |file: &str, what: &str| {
        let all = json["findings"].as_array().unwrap();
        let matching = |one: &&Value| {
            one["file"].as_str().is_some_and(|path| path.ends_with(file))
                && one["what"].as_str().is_some_and(|text| text.contains(what))
        };
        all.iter().find(matching).unwrap_or_else(|| panic!("{file} {what}: {}", ended.out)).clone()
    };
    found("news.dss9.sdp", "no edge dss9");
    assert_eq!(found("film.dss2.sdp", "H265")["line"], 4);
    assert_eq!(found("lone.sdp", "no edge has agreed")["severity"], "warning");
    assert_eq!(found("junk.sdp", "")["line"], 1);
    found("round.dss2.sdp", "round");
    assert_eq!(found("dynrelay.toml", "no interface nosuch0")["line"], 7);
    assert_eq!(found("dynrelay.toml", "no group no-such-group")["line"], 3);
    assert_eq!(json["errors"], 6, "{}", ended.out);
    found("lone.sdp", "no edge has agreed");
    let away = |one: &Value| one["what"].as_str().unwrap().contains("dynrelayd does not run");
    assert!(json["findings"].as_array().unwrap().iter().any(away), "{}", ended.out);
    assert_eq!(json["warnings"], 2, "{}", ended.out);
    for one in json["findings"].as_array().unwrap() {
        assert!(!one["advice"].as_str().unwrap().is_empty(), "{one}");
    }

    let people = check(&sandbox, &config, &[]);
    assert_eq!((people.code, people.err.as_str()), (Some(1), ""));
    assert!(people.out.contains("6 errors, 2 warnings."));
    for heading in ["Files", "Interfaces", "Socket"] {
        assert!(people.out.lines().any(|line| line == heading), "{}", people.out);
    }
}

#[test]
fn edges_that_never_refuse_are_reported() {
    let relay = r#""stream":"news","edge":"dss2","state":"live","since":1,"started":1,"packets":9,
        "bytes":9,"rate":9,"refusals":0"#
        .replace('\n', "");
    let list = format!(r#"{{"ok":{{"relays":[{{{relay}}}]}}}}"#);
    let show = |answers: bool| {
        let detail = format!(r#"{relay},"address":"198.51.100.7","answers":{answers},"flows":[]"#);
        format!(r#"{{"ok":{{"relays":[{{{detail}}}]}}}}"#)
    };
    for (answers, lease, warnings) in
        [(false, "", 1), (true, "", 0), (false, "[shutdown]\nlease = \"2h\"\n", 0)]
    {
        let (sandbox, config) = sound("lo", "root");
        // Other tests join the other group now and then.
        sandbox.write("streams/news.sdp", &STREAM.replace("239.255.77.1", "239.255.77.4"));
        let text = std::fs::read_to_string(&config).unwrap();
        sandbox.write("dynrelay.toml", &format!("{lease}{text}"));
        let daemon = sandbox.daemon(&[PONG, &list, &show(answers)]);
        std::fs::set_permissions(sandbox.socket(), Permissions::from_mode(0o660)).unwrap();
        let json = findings(&check(&sandbox, &config, &["--json"]));
        let all = json["findings"].as_array().unwrap().iter();
        let edges: Vec<_> = all.filter(|one| one["about"] == "edges").collect();
        assert_eq!(edges.len(), warnings, "{json}");
        // The fake daemon says that it relays the group, but has not joined it.
        let groups = json["findings"].as_array().unwrap().iter();
        let groups: Vec<_> = groups.filter(|one| one["about"] == "groups").collect();
        assert_eq!(groups.len(), 1, "{json}");
        assert!(
            groups[0]["what"].as_str().unwrap().contains("no member of its group 239.255.77.4")
        );
        if let [silent] = edges[..] {
            let what = silent["what"].as_str().unwrap();
            assert!(
                what.starts_with("dss2 (198.51.100.7) has never sent back a refusal"),
                "{what}"
            );
        }
        assert!(daemon.join().unwrap().contains(r#""op":"show","stream":"news""#));
    }
}

#[test]
fn warnings_alone_are_no_failure() {
    let (sandbox, config) = sound("lo", "root");
    sandbox.write("streams/lone.sdp", &STREAM.replace("239.255.77.1", "239.255.77.3"));
    let ended = check(&sandbox, &config, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    assert!(ended.out.contains("No errors, 2 warnings."), "{}", ended.out);
}

#[test]
fn a_socket_that_the_web_server_cannot_open() {
    let (sandbox, config) = sound("lo", "root");
    open(&sandbox, "", 0o700);
    let ended = sandbox.run(&["check", "--config", &config, "--web-user", "nobody"]);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    assert!(ended.out.contains("does not let the user nobody through"), "{}", ended.out);
    assert!(ended.out.contains("nobody is not a member of root"), "{}", ended.out);
}

#[test]
fn an_address_of_another_host_is_no_group() {
    let (sandbox, config) = sound("lo", "root");
    sandbox.write("streams/news.sdp", &STREAM.replace("239.255.77.1/1", "192.0.2.77"));
    let ended = check(&sandbox, &config, &[]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("192.0.2.77 is neither a group nor"), "{}", ended.out);
}

#[test]
fn sdp_files_are_checked_without_a_readable_configuration() {
    let sandbox = Sandbox::new();
    let missing = sandbox.path("dynrelay.toml").display().to_string();
    let ended = sandbox.run(&["check", "--config", &missing]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("can't be read"), "{}", ended.out);

    sandbox.write("streams/junk.sdp", "junk");
    let config = sandbox.write("dynrelay.toml", "[daemon\nsokcet = 1\n").display().to_string();
    let json = findings(&sandbox.run(&["check", "--json", "--config", &config]));
    assert_eq!(json["errors"], 2, "{json}");
    assert_eq!(json["findings"][0]["line"], 1);
}

#[test]
fn faults_of_the_configuration_do_not_hide_those_of_the_streams() {
    let (sandbox, config) = sound("lo", "root");
    let mut text = std::fs::read_to_string(&config).unwrap();
    text += "serve = 1\n[shutdown]\nquite = \"3s\"\ngrace = 20\n[origins]\n";
    sandbox.write("dynrelay.toml", &text);
    sandbox.write("streams/news.sdp", &STREAM.replace("239.255.77.1/1", "192.0.2.77"));
    sandbox.write("streams/junk.sdp", "junk");
    let json = findings(&check(&sandbox, &config, &["--json"]));
    let errors =
        json["findings"].as_array().unwrap().iter().filter(|one| one["severity"] == "error");
    let places = errors.map(|one| {
        let file = one["file"].as_str().unwrap().rsplit_once('/').unwrap().1;
        (file, one["line"].as_u64().unwrap())
    });
    let toml = |line| ("dynrelay.toml", line);
    assert_eq!(
        places.collect::<Vec<_>>(),
        [toml(13), toml(15), toml(16), toml(17), ("junk.sdp", 1), ("news.sdp", 4)],
        "{json}"
    );
}

#[test]
fn a_state_file_that_has_no_folder_is_a_warning() {
    let (sandbox, config) = sound("lo", "root");
    std::fs::remove_dir(sandbox.path("lib")).unwrap();
    let ended = check(&sandbox, &config, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    assert!(ended.out.contains("no folder") && ended.out.contains("toml:4"), "{}", ended.out);
}

#[test]
fn an_sdp_file_needs_no_daemon() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("news.sdp", STREAM).display().to_string();
    let json = findings(&sandbox.run(&["sdp", "show", &file, "--json"]));
    let expected = serde_json::json!({"name": "News", "media": [{
        "kind": "video", "port": 5004, "ports": 1, "addresses": ["239.255.77.1"],
        "address_count": 1, "source": null,
        "formats": [{"pt": 96, "codec": "H264", "clock": 90000}],
    }]});
    assert_eq!(json, expected);
    let people = sandbox.run(&["sdp", "show", &file]);
    assert_eq!(people.code, Some(0));
    assert!(people.out.contains("239.255.77.1"), "{}", people.out);
}

#[test]
fn a_bad_sdp_file_is_exit_1_and_one_line() {
    let sandbox = Sandbox::new();
    let bad = sandbox.write("bad.sdp", "v=0\nm=video 5004x RTP/AVP 96\n").display().to_string();
    for file in [bad.as_str(), "/nonexistent.sdp", "/dev/null"] {
        let ended = sandbox.run(&["sdp", "show", file]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{file}");
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
        assert!(ended.err.contains(file), "{}", ended.err);
    }
}
