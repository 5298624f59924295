//! Payload types that look like RTCP.

/// Payload types from 64 to 95 that an SDP file names. Their RTP packets look like RTCP when the
/// marker is set (RFC 5761, 4), so a receiver must know them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PayloadTypes(u32);

impl PayloadTypes {
    /// Whether this payload type is named.
    pub fn contains(self, payload_type: u8) -> bool {
        bit(payload_type).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Whether none is named.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Others than 64 to 95 are left out.
impl FromIterator<u8> for PayloadTypes {
    fn from_iter<I: IntoIterator<Item = u8>>(all: I) -> Self {
        Self(all.into_iter().filter_map(bit).fold(0, |set, bit| set | bit))
    }
}

fn bit(payload_type: u8) -> Option<u32> {
    (64..96).contains(&payload_type).then(|| 1 << (payload_type - 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_to_95_are_kept() {
        let types: PayloadTypes = [0, 63, 64, 80, 96, 127].into_iter().collect();
        let kept: Vec<u8> = (0..=255).filter(|one| types.contains(*one)).collect();
        assert_eq!(kept, [64, 80]);
        assert!(!types.is_empty() && PayloadTypes::from_iter([96]).is_empty());
    }
}
