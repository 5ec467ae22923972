//! Name resolution that only ever gives addresses a plugin may reach.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::address::{AddressRules, Refused};
use crate::config::StaticAddress;

/// Resolves names by the fixed hosts, then by the system, and keeps the addresses the rules admit.
#[derive(Debug)]
pub(super) struct Resolver {
    hosts: HashMap<String, StaticAddress>,
    rules: Arc<AddressRules>,
}

/// Why a name gave no address. It reaches the caller inside the client's error, where it is looked for by its type.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("{0}")]
    Unknown(String),
    #[error("{} is {}", .0.address, .0.nature)]
    Refused(Refused),
}

impl Resolver {
    pub(super) fn new<'a>(
        hosts: impl IntoIterator<Item = (&'a String, &'a StaticAddress)>,
        rules: Arc<AddressRules>,
    ) -> Self {
        let hosts = hosts.into_iter().map(|(name, address)| (normalise(name), *address)).collect();
        Self { hosts, rules }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.rules);
        let fixed = self.hosts.get(&normalise(name.as_str())).copied();
        Box::pin(async move {
            let found = match fixed {
                // Port 0 stands for the scheme's own.
                Some(StaticAddress { ip, port }) => vec![SocketAddr::new(ip, port.unwrap_or(0))],
                None => tokio::net::lookup_host((name.as_str(), 0))
                    .await
                    .map_err(|error| ResolveError::Unknown(error.to_string()))?
                    .collect(),
            };
            let admitted: Addrs = Box::new(admit(&rules, found)?.into_iter());
            Ok(admitted)
        })
    }
}

/// The addresses the rules admit.
fn admit(rules: &AddressRules, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ResolveError> {
    let mut refused = None;
    let admitted: Vec<_> = found
        .into_iter()
        .filter(|address| match rules.check(address.ip()) {
            Ok(()) => true,
            Err(refusal) => {
                refused.get_or_insert(refusal);
                false
            }
        })
        .collect();
    match (admitted.is_empty(), refused) {
        (false, _) => Ok(admitted),
        (true, Some(refused)) => Err(ResolveError::Refused(refused)),
        (true, None) => Err(ResolveError::Unknown("the name has no address".to_owned())),
    }
}

/// A name as two spellings of it compare equal: in ASCII, in lower case, without the root's dot.
pub(super) fn normalise(name: &str) -> String {
    let name = Host::parse(name).map_or_else(|_| name.to_lowercase(), |host| host.to_string());
    match name.strip_suffix('.') {
        Some(name) => name.to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn only_the_admitted_addresses_of_a_name_are_used() {
        let found = addresses(&["10.0.0.1:0", "93.184.216.34:0", "[::1]:0", "[2606:4700::1]:0"]);
        let admitted = admit(&AddressRules::new(&[]), found).expect("two of them are public");
        assert_eq!(admitted, addresses(&["93.184.216.34:0", "[2606:4700::1]:0"]));
    }

    #[test]
    fn a_name_without_an_admitted_address_is_refused_for_its_first() {
        let error = admit(&AddressRules::new(&[]), addresses(&["10.0.0.1:0", "[::1]:0"]))
            .expect_err("none is public");
        let ResolveError::Refused(refused) = error else { panic!("{error:?}") };
        assert_eq!(refused.address.to_string(), "10.0.0.1");
    }

    #[test]
    fn a_name_without_addresses_is_unknown() {
        assert!(matches!(admit(&AddressRules::new(&[]), Vec::new()), Err(ResolveError::Unknown(_))));
    }

    #[test]
    fn spellings_of_a_name_compare_equal() {
        assert_eq!(normalise("Bücher.Example."), "xn--bcher-kva.example");
        assert_eq!(normalise("xn--bcher-kva.example"), "xn--bcher-kva.example");
    }
}
