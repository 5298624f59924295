//! The streams folder: what each file is, where streams arrive, and where they may go.

pub(crate) mod arrival;
pub(crate) mod comparison;
pub(crate) mod folder;
pub(crate) mod loops;
pub(crate) mod offer;
pub(crate) mod reader;
pub(crate) mod replica;
pub(crate) mod route;
pub(crate) mod rtsp_identity;
pub(crate) mod rtsp_source;
pub(crate) mod sdp_match;
pub(crate) mod stream;
