//! Lists of addresses and networks that something may be used from (RFC 4632, RFC 4291 §2.3).

use std::fmt;
use std::net::IpAddr;

/// Most networks of a list.
pub const MAX: usize = 32;

/// An address, or all that share its first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// The text names no network: no address, a prefix out of range, or bits set beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address such as 192.0.2.7, or a network such as 192.0.2.0/24 or 2001:db8::/48")]
pub struct MalformedNetwork;

impl Network {
    /// Reads `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/48`. An IPv4 address within IPv6 reads as the IPv4 address.
    ///
    /// # Errors
    /// [`MalformedNetwork`].
    pub fn parse(text: &str) -> Result<Self, MalformedNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| MalformedNetwork)?;
        let base = if bits.is_none() { address.to_canonical() } else { address };
        let width = width(base);
        let plain = |bits: &&str| bits.len() <= 3 && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => width,
            Some(bits) => Some(bits).filter(plain).and_then(|bits| bits.parse().ok()).ok_or(MalformedNetwork)?,
        };
        let network = Self { base, bits };
        if bits > width || network.masked(base) != number(base) { Err(MalformedNetwork) } else { Ok(network) }
    }

    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && self.masked(address) == number(self.base)
    }

    fn masked(&self, address: IpAddr) -> u128 {
        let beyond = u32::from(width(address).saturating_sub(self.bits));
        let kept = u128::MAX.checked_shl(beyond).unwrap_or(0);
        number(address) & kept
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == width(self.base) {
            write!(f, "{}", self.base)
        } else {
            write!(f, "{}/{}", self.base, self.bits)
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_in_their_network_and_in_no_other() {
        let table = [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/48", "2001:db8:0:ffff::1", true),
            ("2001:db8::/48", "2001:db8:1::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("::ffff:192.0.2.7", "192.0.2.7", true),
        ];
        for (network, address, inside) in table {
            assert_eq!(
                Network::parse(network).unwrap().contains(address.parse().unwrap()),
                inside,
                "{network} {address}"
            );
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in [
            "",
            "a",
            "192.0.2",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "::/129",
            "1/2/3",
            " ::1",
        ] {
            assert_eq!(Network::parse(bad), Err(MalformedNetwork), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_network_prints_as_it_reads(address in any::<u32>(), bits in 0_u8..=32) {
            let kept = u32::MAX.checked_shl(u32::from(32 - bits)).unwrap_or(0);
            let text = format!("{}/{bits}", std::net::Ipv4Addr::from_bits(address & kept));
            let network = Network::parse(&text).unwrap();
            prop_assert_eq!(Network::parse(&network.to_string()).unwrap(), network);
            prop_assert!(network.contains(std::net::Ipv4Addr::from_bits(address).into()));
        }
    }
}
