//! What every CGI program here needs (RFC 3875): the request that a web server's environment
//! holds, an answer that gets through, links to the program itself, and a way to ask the
//! daemon.
//!
//! Of the crate `cgi` on crates.io the response types and their constructors serve. Its `handle` does not: it
//! panics on an environment that isn't UTF-8, an odd method or protocol, a CONTENT_LENGTH that
//! lies and a web server that hung up, and neither its reader nor its writer can be called alone.

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
