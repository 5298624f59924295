//! When a relay starts, goes on and closes: pure, no sockets, no clock.
