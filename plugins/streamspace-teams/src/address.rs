//! What takes messages at an address, by its host.

/// What takes messages and hands them to Teams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// A flow of the Workflows app, which is Power Automate.
    Flow,
    /// An Office 365 connector, which Microsoft retires.
    Connector,
}

/// Domains below which flows are. The first of each pair of a cloud is the newer one: those of Logic Apps were said to end on
/// 30 November 2025, and are still met.
const FLOWS: [&str; 8] = [
    ".environment.api.powerplatform.com",
    ".logic.azure.com",
    // US government: GCC, GCC High, DoD.
    ".environment.api.gov.powerplatform.microsoft.us",
    ".environment.api.high.powerplatform.microsoft.us",
    ".environment.api.appsplatform.us",
    ".logic.azure.us",
    // China, operated by 21Vianet.
    ".environment.api.powerplatform.partner.microsoftonline.cn",
    ".logic.azure.cn",
];

/// What takes messages at this address; `None` if it is neither. The manifest's pattern takes the same ones.
pub(crate) fn receiver(url: &str) -> Option<Receiver> {
    let host = host(url);
    if FLOWS.iter().any(|domain| host.ends_with(domain)) {
        Some(Receiver::Flow)
    } else if host.ends_with(".webhook.office.com") || host == "outlook.office.com" {
        Some(Receiver::Connector)
    } else {
        None
    }
}

/// The host, without its port.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.split(['/', '?', '#', ':']).next().unwrap_or_default()
}

/// Whether a flow's address has its signature, without which the flow does not know that the caller may post.
pub(crate) fn is_signed(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| pair.strip_prefix("sig=").is_some_and(|signature| !signature.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_tells_what_is_there() {
        for (url, expected) in [
            ("https://prod-7.westeurope.logic.azure.com:443/workflows/x", Some(Receiver::Flow)),
            ("https://0123ab.4c.environment.api.powerplatform.com/powerautomate/x", Some(Receiver::Flow)),
            ("https://prod-7.usgovtexas.logic.azure.us/workflows/x", Some(Receiver::Flow)),
            ("https://acme.webhook.office.com/webhookb2/x", Some(Receiver::Connector)),
            ("https://outlook.office.com:443/webhook/x", Some(Receiver::Connector)),
            ("https://api.powerplatform.com/x", None),
            ("https://logic.azure.com/x", None),
            ("https://evil.example/?x=.logic.azure.com", None),
            ("https://a.logic.azure.com.evil.example/", None),
        ] {
            assert_eq!(receiver(url), expected, "{url}");
        }
    }

    #[test]
    fn a_signature_is_looked_for_in_the_query() {
        assert!(is_signed("https://a/workflows/x?api-version=1&sp=%2Ft&sv=1.0&sig=abc"));
        for without in ["https://a/x", "https://a/x?api-version=1", "https://a/x?sig=", "https://a/sig=x?a=b"]
        {
            assert!(!is_signed(without), "{without}");
        }
    }
}
