//! What every CGI program here needs (RFC 3875): the request from the web server's environment, an
//! answer, links to the program itself, and a connection to the daemon.
//!
//! This crate uses the response types of the crate `cgi` on crates.io, but not its `handle`. That
//! panics on an environment that is not UTF-8, on an odd method or protocol, on a wrong
//! CONTENT_LENGTH, and if the web server has hung up. Its reader and writer cannot be called alone.

mod answer;
mod asset;
mod environment;
mod link;
mod page;
mod socket;

pub use answer::{guard, print, serve, set};
pub use asset::Asset;
pub use cgi_response::{Response, binary_response, http, text_response};
pub use environment::Environment;
pub use link::{own_path, percent_encode};
pub use page::Page;
pub use socket::Socket;
