//! `dynrelay scan` without any broadcast.

use serde_json::Value;

use crate::sandbox::Sandbox;

const STREAM: &str = "v=0\ns=News\nc=IN IP4 239.255.77.9/1\nm=video 5004 RTP/AVP 96\n\
    a=rtpmap:96 H264/90000\nm=audio 5006 RTP/AVP 14\n";

/// A catalogue of one stream, on the loopback interface.
fn catalogue() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.write("streams/news.sdp", STREAM);
    let config = sandbox.write("dynrelay.toml", "[origin]\ninterface = \"lo\"\n");
    (sandbox, config.display().to_string())
}

#[test]
fn silence_is_not_active() {
    let (sandbox, config) = catalogue();
    let ended = sandbox.run(&["scan", "--config", &config, "--for", "10ms"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""), "{}", ended.out);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines[1], "news    video H264  NOT ACTIVE");
    assert_eq!(lines[2], "news    audio MPA   NOT ACTIVE");
    assert_eq!(lines[4], "news video H264: nothing came to 239.255.77.9:5004 on lo.");
    assert!(lines.iter().all(|line| line.len() <= 80));
}

#[test]
fn programs_get_everything() {
    let (sandbox, config) = catalogue();
    sandbox.write("streams/junk.sdp", "junk");
    let words = ["scan", "--config", &config, "--for", "10ms", "--json"];
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("ignored: ") && ended.err.contains("junk.sdp"), "{}", ended.err);
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&json["active"], &json["streams"][0]["active"]), (&false.into(), &false.into()));
    let audio = &json["streams"][0]["media"][1];
    assert_eq!((&audio["media"], &audio["verdict"]), (&"audio MPA".into(), &"not-active".into()));
    assert_eq!((&audio["payload_types"][0], &audio["packets"]), (&14.into(), &0.into()));
    assert_eq!(audio["bits_per_second"], Value::Null);
    assert!(json["problems"][0].as_str().unwrap().contains("junk.sdp"));
    // A scan of one stream does not report others.
    let ended = sandbox.run(&[&words[..], &["news"]].concat());
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""));
}

#[test]
fn invalid_settings_are_reported() {
    let (sandbox, config) = catalogue();
    // As if this user could not read the file; root can read every file.
    sandbox.write("streams/news.toml", "source = 7\n");
    for names in [&[][..], &["news"]] {
        let ended = sandbox.run(&[&["scan", "--config", &config, "--for", "10ms"], names].concat());
        assert_eq!(ended.code, Some(1));
        assert!(
            ended.err.contains("ignored: ") && ended.err.contains("news.toml"),
            "{}",
            ended.err
        );
    }
}

#[test]
fn each_error_has_its_message() {
    let (sandbox, config) = catalogue();
    sandbox.write("streams/junk.sdp", "junk");
    sandbox.write("streams/nowhere.sdp", &STREAM.replace("239.255.77.9/1", "0.0.0.0"));
    for (words, code, said) in [
        (&["nosuch"][..], 1, "there is no stream nosuch in"),
        (&["junk"], 1, "junk.sdp, line 1"),
        (&["news", "--for", "0s"], 2, "--for must be longer than 0s"),
        (&["news", "--for", "soon"], 2, "is not a duration"),
        (&["--config", "/nonexistent/dynrelay.toml"], 1, "/nonexistent/dynrelay.toml"),
    ] {
        let own = ["scan", "--config", &config];
        let given = words.contains(&"--config");
        let ended = sandbox.run(&[if given { &own[..1] } else { &own }, words].concat());
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{words:?}");
        assert!(ended.err.contains(said), "{}", ended.err);
    }
    let ended = sandbox.run(&["scan", "--config", &config, "--for", "1ms", "nowhere"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("FAULTY FILE"), "{}", ended.out);
    assert!(ended.out.contains("name its group"), "{}", ended.out);
}

#[test]
fn a_pulled_stream_is_scanned_only_if_it_is_named() {
    let (sandbox, config) = catalogue();
    sandbox.write("streams/news.toml", "source = \"rtsp://cam:secret@192.0.2.7/news\"\n");
    let ended = sandbox.run(&["scan", "--config", &config]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    assert!(ended.out.contains("PULLED") && !ended.out.contains("secret"), "{}", ended.out);
    let ended = sandbox.run(&["scan", "--config", &config, "--json"]);
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&json["active"], &json["streams"][0]["active"]), (&true.into(), &Value::Null));
    assert_eq!(json["streams"][0]["source"], "rtsp://192.0.2.7/news");
    sandbox.write("streams/news.toml", "source = \"rtsp://cam:secret@127.0.0.1:1/news\"\n");
    let ended = sandbox.run(&["scan", "--config", &config, "--for", "10ms", "news"]);
    assert_eq!(ended.code, Some(1), "nobody is there: {}", ended.out);
    assert!(ended.out.contains("NOT ACTIVE") && !ended.out.contains("secret"), "{}", ended.out);
}

#[test]
fn a_taken_port_does_not_make_its_stream_inactive() {
    let (sandbox, config) = catalogue();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let sdp = STREAM.replace("239.255.77.9/1", "127.0.0.1");
    let video = sdp.replace("5004", &port.to_string()).split("m=audio").next().unwrap().to_owned();
    sandbox.write("streams/news.sdp", &video);
    let ended = sandbox.run(&["scan", "--config", &config, "--for", "10ms"]);
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    assert!(ended.out.contains("PORT IN USE"), "{}", ended.out);
    let ended = sandbox.run(&["scan", "--config", &config, "--for", "10ms", "--json"]);
    let json: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&json["active"], &json["streams"][0]["active"]), (&true.into(), &Value::Null));
}

#[test]
fn a_scan_of_an_empty_catalogue_succeeds() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("streams")).unwrap();
    let config = sandbox.write("dynrelay.toml", "").display().to_string();
    let ended = sandbox.run(&["scan", "--config", &config]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.out, "There is no stream in the catalogue.\n");
}
