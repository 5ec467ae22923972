//! How much may be recorded.

use crate::config::Config;

/// What there is when another recording is to begin, or one runs. Exports do not count: they go by themselves, and whoever downloads a
/// recording ends none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Recordings that run, in all and of the session's user.
    pub(crate) running: u64,
    pub(crate) running_of_user: u64,
    /// Bytes of all recordings, and of those of the session's user.
    pub(crate) bytes: u64,
    pub(crate) bytes_of_user: u64,
}

/// Why another recording does not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {used} of {limit}. {action}")]
pub(crate) struct Exceeded {
    what: &'static str,
    used: u64,
    limit: u64,
    action: &'static str,
}

const STOP: &str = "Stop one of them, or raise the limit";
const DELETE: &str = "Delete some, or raise the limit";

/// Whether another recording may begin. A limit of 0 is none.
pub(crate) fn check(used: &Used, config: &Config) -> Result<(), Exceeded> {
    let limits = [
        (
            "as many sessions as may be are being recorded (`maxConcurrent`)",
            used.running,
            config.max_concurrent,
            STOP,
        ),
        (
            "as many sessions of this user as may be are being recorded (`maxConcurrentPerUser`)",
            used.running_of_user,
            config.max_concurrent_per_user,
            STOP,
        ),
    ];
    exceeded(limits).and_then(|()| check_space(used, config))
}

/// Whether what is recorded may go on.
pub(crate) fn check_space(used: &Used, config: &Config) -> Result<(), Exceeded> {
    exceeded([
        ("there is no space for more recordings (`quotaBytes`)", used.bytes, config.quota_bytes, DELETE),
        (
            "there is no space for more recordings of this user (`quotaBytesPerUser`)",
            used.bytes_of_user,
            config.quota_bytes_per_user,
            DELETE,
        ),
    ])
}

fn exceeded(limits: [(&'static str, u64, u64, &'static str); 2]) -> Result<(), Exceeded> {
    match limits.into_iter().find(|(_, used, limit, _)| *limit > 0 && used >= limit) {
        Some((what, used, limit, action)) => Err(Exceeded { what, used, limit, action }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::tests::config;

    #[test]
    fn each_limit_is_one() {
        let config = config(json!({
            "maxConcurrent": 3, "maxConcurrentPerUser": 2, "quotaBytes": 1000, "quotaBytesPerUser": 100,
        }))
        .expect("valid");
        let fine = Used { running: 2, running_of_user: 1, bytes: 999, bytes_of_user: 99 };
        assert_eq!(check(&fine, &config), Ok(()));
        for (used, named) in [
            (Used { running: 3, ..fine }, "`maxConcurrent`"),
            (Used { running_of_user: 2, ..fine }, "`maxConcurrentPerUser`"),
            (Used { bytes: 1000, ..fine }, "`quotaBytes`"),
            (Used { bytes_of_user: 100, ..fine }, "`quotaBytesPerUser`"),
        ] {
            let why = check(&used, &config).expect_err("too much").to_string();
            assert!(why.contains(named), "{why}");
        }
    }

    #[test]
    fn none_is_none() {
        let config = config(json!({})).expect("valid");
        let much = Used { running: 1, running_of_user: 31, bytes: u64::MAX, bytes_of_user: u64::MAX };
        assert_eq!(check(&much, &config), Ok(()));
    }
}
