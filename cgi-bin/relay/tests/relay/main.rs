//! relay.cgi as a web server runs it, against a stand-in for the daemon.
#![cfg(test)]

mod body;
mod daemon;
mod manual;
mod problem;
mod reply;
mod run;
mod stream;
