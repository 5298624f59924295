//! What may be relayed: dynrelay.toml, the streams folder, SDP files.
