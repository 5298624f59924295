//! The completions that a shell offers at Tab.

use std::process::Command;

use crate::sandbox::Sandbox;

const STREAMS: &str = r#"{"ok":{"streams":[
    {"name":"news","title":"The news","media":[],"edges":["dss2","dss3"],"relayed_to":[]}]}}"#;

/// The words that bash offers after these words, with the script of `dynrelay completions`.
fn offered(sandbox: &Sandbox, words: &str) -> Vec<String> {
    let script = sandbox.run(&["completions", "bash"]).out;
    let press_tab = format!(
        "{script}
        COMP_WORDS=({words} ''); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9
        _clap_complete_dynrelay dynrelay '' \"${{COMP_WORDS[COMP_CWORD - 1]}}\"
        printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_dynrelay")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-c", &press_tab]).env("PATH", path).env("DYNRELAY_SOCKET", sandbox.socket());
    let output = bash.output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn commands_are_offered() {
    let offered = offered(&Sandbox::new(), "dynrelay");
    for command in ["list", "show", "sdp", "completions"] {
        assert!(offered.iter().any(|one| one == command), "{offered:?}");
    }
}

#[test]
fn the_daemons_streams_and_edges_are_offered() {
    for (words, expected) in
        [("dynrelay show", &["news"][..]), ("dynrelay stop news", &["dss2", "dss3"])]
    {
        let sandbox = Sandbox::new();
        let daemon = sandbox.daemon(&[&STREAMS.replace('\n', "")]);
        let offered = offered(&sandbox, words);
        let names = |name: &&&str| offered.iter().any(|one| one == **name);
        assert_eq!(expected.iter().filter(names).count(), expected.len(), "{offered:?}");
        assert!(daemon.join().unwrap().contains("streams"));
    }
}
