//! Which addresses a plugin may reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::config::Network;

/// Networks that are not the public internet, by the IANA special-purpose registries (RFC 6890 and its successors).
/// An IPv6 address outside 2000::/3 is refused whether it is listed or not: nothing else is global unicast.
const SPECIAL: &[(IpNet, &str)] = &[
    v4([0, 0, 0, 0], 8, "unspecified"),
    v4([10, 0, 0, 0], 8, "private"),
    v4([100, 64, 0, 0], 10, "shared by a carrier's NAT"),
    v4([127, 0, 0, 0], 8, "loopback"),
    v4([169, 254, 0, 0], 16, "link-local"),
    v4([172, 16, 0, 0], 12, "private"),
    v4([192, 0, 0, 0], 24, "reserved for protocols"),
    v4([192, 0, 2, 0], 24, "reserved for documentation"),
    v4([192, 88, 99, 0], 24, "a 6to4 relay"),
    v4([192, 168, 0, 0], 16, "private"),
    v4([198, 18, 0, 0], 15, "reserved for benchmarks"),
    v4([198, 51, 100, 0], 24, "reserved for documentation"),
    v4([203, 0, 113, 0], 24, "reserved for documentation"),
    v4([224, 0, 0, 0], 4, "multicast"),
    v4([255, 255, 255, 255], 32, "broadcast"),
    v4([240, 0, 0, 0], 4, "reserved"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback"),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "an IPv4 address in IPv6 form"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, "an IPv4 address in IPv6 form"),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "translated to IPv4 (NAT64)"),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "translated to IPv4 (NAT64)"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "an IPv4 tunnel (Teredo)"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "reserved for protocols"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "reserved for documentation"),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "an IPv4 tunnel (6to4)"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "reserved for documentation"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "private (unique-local)"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "private (site-local)"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

const GLOBAL_UNICAST: IpNet = IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)), 3);

const fn v4([a, b, c, d]: [u8; 4], prefix: u8, name: &'static str) -> (IpNet, &'static str) {
    (IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix), name)
}

const fn v6(s: [u16; 8], prefix: u8, name: &'static str) -> (IpNet, &'static str) {
    let address = Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
    (IpNet::new_assert(IpAddr::V6(address), prefix), name)
}

/// An address that is not to be reached, and what it is instead of public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) address: IpAddr,
    pub(super) nature: &'static str,
}

/// The public addresses and those the operator allows.
#[derive(Debug, Clone)]
pub(super) struct AddressRules {
    allowed: Vec<Network>,
}

impl AddressRules {
    pub(super) fn new(allowed: &[Network]) -> Self {
        Self { allowed: allowed.to_vec() }
    }

    pub(super) fn check(&self, address: IpAddr) -> Result<(), Refused> {
        if self.allowed.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        let special = SPECIAL.iter().find(|(network, _)| network.contains(&address)).map(|(_, name)| *name);
        let nature = match special {
            Some(name) => name,
            None if address.is_ipv6() && !GLOBAL_UNICAST.contains(&address) => "not global unicast",
            None => return Ok(()),
        };
        Err(Refused { address, nature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nature(address: &str) -> Option<&'static str> {
        let address = address.parse().expect("an address");
        AddressRules::new(&[]).check(address).err().map(|refused| refused.nature)
    }

    #[test]
    fn addresses_that_are_not_public_are_refused() {
        for (address, expected) in [
            ("0.0.0.0", "unspecified"),
            ("10.255.0.1", "private"),
            ("100.64.0.1", "shared by a carrier's NAT"),
            ("100.127.255.255", "shared by a carrier's NAT"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("169.254.169.254", "link-local"),
            ("172.31.255.255", "private"),
            ("192.0.2.1", "reserved for documentation"),
            ("192.168.1.1", "private"),
            ("198.19.0.1", "reserved for benchmarks"),
            ("203.0.113.7", "reserved for documentation"),
            ("239.1.1.1", "multicast"),
            ("250.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::ffff:93.184.216.34", "an IPv4 address in IPv6 form"),
            ("::93.184.216.34", "an IPv4 address in IPv6 form"),
            ("64:ff9b::7f00:1", "translated to IPv4 (NAT64)"),
            ("64:ff9b:1::1", "translated to IPv4 (NAT64)"),
            ("100::1", "not global unicast"),
            ("2001:0:1::1", "an IPv4 tunnel (Teredo)"),
            ("2001:2::1", "reserved for protocols"),
            ("2001:db8::1", "reserved for documentation"),
            ("2002:7f00:1::", "an IPv4 tunnel (6to4)"),
            ("3fff::1", "reserved for documentation"),
            ("fd00::1", "private (unique-local)"),
            ("fe80::1", "link-local"),
            ("fec0::1", "private (site-local)"),
            ("ff02::1", "multicast"),
        ] {
            assert_eq!(nature(address), Some(expected), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_not_refused() {
        for address in
            ["1.1.1.1", "93.184.216.34", "100.128.0.1", "172.32.0.1", "2606:4700::1", "2001:4860::8888"]
        {
            assert_eq!(nature(address), None, "{address}");
        }
    }

    #[test]
    fn an_allowed_network_opens_its_addresses_and_no_others() {
        let rules = AddressRules::new(&["127.0.0.0/8".parse().expect("a network")]);
        assert!(rules.check(Ipv4Addr::LOCALHOST.into()).is_ok());
        assert!(rules.check(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()).is_err());
        assert!(rules.check(Ipv4Addr::new(10, 0, 0, 1).into()).is_err());
    }
}
