//! What kind of network an address belongs to, whatever form it comes in.
//!
//! A name that a plugin may reach can resolve to anything, and whoever owns the name
//! decides. Without this check a grant for a public host would be a way to the host's
//! own services, to the company's network and to the metadata service of the cloud,
//! which hands out the machine's credentials to whoever asks (the road of the Capital
//! One breach). IPv6 can wrap an IPv4 address in several ways, and an address is judged
//! by what is inside.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of network that an address belongs to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AddressClass {
    /// Anywhere on the internet.
    Public,
    /// This machine.
    Loopback,
    /// RFC 1918, unique local and site-local addresses.
    Private,
    /// Behind a carrier's translation (RFC 6598); overlay networks use it as well.
    Shared,
    /// For measuring networks (RFC 2544); some local proxies answer names with it.
    Benchmarking,
    /// This network segment, without a router.
    LinkLocal,
    /// A cloud's metadata or credential service.
    Metadata,
    /// Many receivers.
    Multicast,
    /// No address, or "this" network.
    Unspecified,
    /// In documents only, or assigned to nothing that could answer.
    Reserved,
}

/// What it takes to connect to an address of a class.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// A grant for the host.
    Open,
    /// A grant for the host that says `private = true`.
    Private,
    /// As `Private`, and the grant's host is the address itself: no name may lead there.
    Named,
    /// Nothing.
    Never,
}

/// Services that answer with credentials. Some are in address blocks that would count
/// as public or shared otherwise.
const METADATA_V4: [Ipv4Addr; 6] = [
    // AWS, Azure, Google, Oracle, DigitalOcean, OpenStack
    Ipv4Addr::new(169, 254, 169, 254),
    // Credentials of ECS tasks and EKS pods
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Alibaba
    Ipv4Addr::new(100, 100, 100, 200),
    // Oracle at Work
    Ipv4Addr::new(192, 0, 0, 192),
    // Azure's wire server
    Ipv4Addr::new(168, 63, 129, 16),
];

const METADATA_V6: [Ipv6Addr; 3] = [
    // AWS, and EKS pods
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    // Google
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

impl AddressClass {
    /// The class of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => Self::of_v6(v6),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        if METADATA_V4.contains(&address) {
            return Self::Metadata;
        }
        match address.octets() {
            [0, ..] => Self::Unspecified,
            [127, ..] => Self::Loopback,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Self::Private,
            [100, 64..=127, ..] => Self::Shared,
            [169, 254, ..] => Self::LinkLocal,
            [198, 18..=19, ..] => Self::Benchmarking,
            [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
                Self::Reserved
            }
            [224..=239, ..] => Self::Multicast,
            [240..=255, ..] => Self::Reserved,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if METADATA_V6.contains(&address) {
            return Self::Metadata;
        }
        if address == Ipv6Addr::LOCALHOST {
            return Self::Loopback;
        }
        if address == Ipv6Addr::UNSPECIFIED {
            return Self::Unspecified;
        }
        if let Some(v4) = embedded_v4(address) {
            return Self::of_v4(v4);
        }
        // ISATAP (RFC 5214) goes to the address inside, by way of a network that has a
        // class of its own: the worse of the two counts.
        if let [_, _, _, _, 0x0000 | 0x0200, 0x5efe, high, low] = address.segments() {
            let inside = Self::of_v4(v4(high, low));
            if inside != Self::Public {
                return inside;
            }
        }
        match address.segments() {
            [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Self::Private,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            [0xff00..=0xffff, ..] => Self::Multicast,
            // Protocol assignments: Teredo, ORCHID and what else is no host's address.
            [0x2001, 0x0000..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => {
                Self::Reserved
            }
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Reserved,
        }
    }

    /// What it takes to connect there.
    pub const fn reach(self) -> Reach {
        match self {
            Self::Public => Reach::Open,
            Self::Loopback | Self::Private | Self::Shared | Self::Benchmarking => Reach::Private,
            Self::LinkLocal | Self::Metadata => Reach::Named,
            Self::Multicast | Self::Unspecified | Self::Reserved => Reach::Never,
        }
    }

    /// True where a name may resolve to an address of this class.
    pub const fn is_allowed_by_name(self, private: bool) -> bool {
        match self.reach() {
            Reach::Open => true,
            Reach::Private => private,
            Reach::Named | Reach::Never => false,
        }
    }
}

/// The IPv4 address that packets to an IPv6 address end up at.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        // Mapped, compatible, translated (RFC 4291, 2765)
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        // NAT64, well-known and local (RFC 6052, 8215)
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, .., high, low]
        // 6to4 (RFC 3056)
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Loopback => "an address of this machine",
            Self::Private => "an address of a private network",
            Self::Shared => "an address of a carrier's or overlay network",
            Self::Benchmarking => "an address for benchmarks",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "a metadata service, which hands out this machine's own credentials",
            Self::Multicast => "a multicast address",
            Self::Unspecified => "an unspecified address",
            Self::Reserved => "a reserved address",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn class(text: &str) -> AddressClass {
        AddressClass::of(text.parse().unwrap())
    }

    #[test]
    fn each_kind_of_address_is_recognised() {
        use AddressClass::*;
        for (text, expected) in [
            ("1.1.1.1", Public),
            ("2606:4700::1111", Public),
            ("127.0.0.1", Loopback),
            ("127.8.9.10", Loopback),
            ("::1", Loopback),
            ("10.0.0.1", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("172.32.0.1", Public),
            ("192.168.1.1", Private),
            ("fd12:3456::1", Private),
            ("fec0::1", Private),
            ("100.64.0.1", Shared),
            ("100.128.0.1", Public),
            ("198.18.0.1", Benchmarking),
            ("169.254.1.1", LinkLocal),
            ("fe80::1", LinkLocal),
            ("169.254.169.254", Metadata),
            ("169.254.170.2", Metadata),
            ("100.100.100.200", Metadata),
            ("168.63.129.16", Metadata),
            ("fd00:ec2::254", Metadata),
            ("224.0.0.1", Multicast),
            ("ff02::1", Multicast),
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("::", Unspecified),
            ("192.0.2.1", Reserved),
            ("203.0.113.9", Reserved),
            ("255.255.255.255", Reserved),
            ("240.0.0.1", Reserved),
            ("2001:db8::1", Reserved),
            ("2001::1", Reserved),
            ("100::1", Reserved),
            ("4000::1", Reserved),
        ] {
            assert_eq!(class(text), expected, "{text}");
        }
    }

    #[test]
    fn an_address_is_judged_by_what_is_inside() {
        for text in [
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "2606:4700::5efe:169.254.169.254",
        ] {
            assert_eq!(class(text), AddressClass::Metadata, "{text}");
        }
        assert_eq!(class("64:ff9b::1.1.1.1"), AddressClass::Public);
        assert_eq!(class("fd00::5efe:1.1.1.1"), AddressClass::Private);
    }

    #[test]
    fn a_private_grant_by_name_does_not_reach_the_metadata_service() {
        assert!(AddressClass::Loopback.is_allowed_by_name(true));
        assert!(!AddressClass::Loopback.is_allowed_by_name(false));
        assert!(!AddressClass::Metadata.is_allowed_by_name(true));
        assert!(!AddressClass::LinkLocal.is_allowed_by_name(true));
    }

    proptest! {
        #[test]
        fn no_wrapping_opens_a_closed_address(bits in any::<u32>(), other in any::<u16>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = v4.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            let inside = AddressClass::of(v4.into());
            // ::0 and ::1 are addresses of their own.
            prop_assume!(bits > 1);
            for wrapped in [
                v4.to_ipv6_mapped(),
                v4.to_ipv6_compatible(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, other, other, 0, 0, other),
            ] {
                prop_assert_eq!(AddressClass::of(wrapped.into()), inside);
            }
        }

        #[test]
        fn nothing_that_the_standard_library_calls_local_is_public(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified()
            {
                prop_assert_ne!(AddressClass::of(v4.into()), AddressClass::Public);
            }
        }

        #[test]
        fn public_ipv6_is_global_unicast_or_carries_public_ipv4(bits in any::<u128>()) {
            let v6 = Ipv6Addr::from_bits(bits);
            if AddressClass::of(v6.into()) == AddressClass::Public {
                prop_assert!(v6.segments()[0] & 0xe000 == 0x2000 || embedded_v4(v6).is_some());
            }
        }
    }
}
