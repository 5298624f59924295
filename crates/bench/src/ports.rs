//! Rows of addresses and ports. `239.9.0.1+1:10000+2*200` is a row of 200, each with the next
//! address and the port after the next.

use anyhow::{Context, anyhow};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;

/// A row of `count` places: the first place, and the steps to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ports {
    first: SocketAddrV4,
    address_step: u32,
    port_step: u16,
    pub(crate) count: u16,
}

impl Ports {
    pub(crate) fn iter(self) -> impl Iterator<Item = SocketAddrV4> {
        (0..self.count).map(move |index| {
            let address = u32::from(*self.first.ip()) + u32::from(index) * self.address_step;
            let port = self.first.port().wrapping_add(index.wrapping_mul(self.port_step));
            SocketAddrV4::new(Ipv4Addr::from(address), port)
        })
    }
}

impl FromStr for Ports {
    type Err = anyhow::Error;

    /// Reads `ADDRESS[+STEP]:PORT[+STEP][*COUNT]`.
    fn from_str(text: &str) -> anyhow::Result<Ports> {
        let (place, count) = text.split_once('*').unwrap_or((text, "1"));
        let (address, port) = place
            .split_once(':')
            .ok_or_else(|| anyhow!("{text} has no port: write ADDRESS:PORT"))?;
        let (address, address_step) = address.split_once('+').unwrap_or((address, "0"));
        let (port, port_step) = port.split_once('+').unwrap_or((port, "0"));
        let wrong = || format!("{text} is not ADDRESS[+STEP]:PORT[+STEP][*COUNT]");
        Ok(Ports {
            first: SocketAddrV4::new(
                address.parse().with_context(wrong)?,
                port.parse().with_context(wrong)?,
            ),
            address_step: address_step.parse().with_context(wrong)?,
            port_step: port_step.parse().with_context(wrong)?,
            count: count.parse().with_context(wrong)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<String> {
        text.parse::<Ports>().unwrap().iter().map(|place| place.to_string()).collect()
    }

    #[test]
    fn a_row_steps_address_and_port() {
        assert_eq!(places("239.9.0.255+1:10000+2*2"), ["239.9.0.255:10000", "239.9.1.0:10002"]);
        assert_eq!(places("10.0.0.1+1:7*2"), ["10.0.0.1:7", "10.0.0.2:7"]);
        assert_eq!(places("10.0.0.1:7"), ["10.0.0.1:7"]);
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in ["", "10.0.0.1", "10.0.0.1:x", "10.0.0.1:1*y", "host:1", "10.0.0.1:70000"] {
            assert!(text.parse::<Ports>().is_err(), "{text}");
        }
    }
}
