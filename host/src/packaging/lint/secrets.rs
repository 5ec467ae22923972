//! What looks like a secret: it would go to everybody who has the package, for ever.

use std::{path::Path, sync::LazyLock};

use regex::bytes::Regex;

use super::{Report, Severity};
use crate::store::read_bounded;

const CODE: &str = "SSP-LNT-050";
/// The largest file that is looked through, in bytes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// The most findings in a file.
const MAX_FINDINGS: usize = 10;
/// Words that stand for a secret in examples, in lower case.
const PLACEHOLDERS: [&str; 9] =
    ["example", "placeholder", "replace", "your", "changeme", "dummy", "sample", "xxxx", "0000000000"];

/// A form that secrets have.
struct Pattern {
    name: &'static str,
    regex: Regex,
    /// Whether it is as good as certain, also in a library, where words such as `BEGIN PRIVATE KEY` are ordinary.
    is_token: bool,
    /// Whether its first group has to look random.
    is_random: bool,
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let pattern = |name, regex: &str, is_token, is_random| Pattern {
        name,
        // Without Unicode, bytes are looked at as they are.
        regex: Regex::new(&format!("(?-u){regex}")).expect("a pattern of this file is well-formed"),
        is_token,
        is_random,
    };
    vec![
        pattern("a private key", r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----", false, false),
        pattern("a secret key of minisign", r"\bRW(?:RTY0Iy|QAAEIy)[A-Za-z0-9+/=]{100,300}", true, false),
        pattern("an access key of AWS", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", false, false),
        pattern("a token of Slack", r"\bxox[abeoprs]-[0-9A-Za-z-]{10,250}", true, false),
        pattern(
            "a webhook of Slack",
            r"hooks\.slack(?:-gov)?\.com/services/T[A-Z0-9]{7,12}/B[A-Z0-9]{7,12}/[A-Za-z0-9]{20,40}\b",
            true,
            false,
        ),
        pattern("a token of GitHub", r"\bgh[opsur]_[A-Za-z0-9]{36,255}\b", true, false),
        pattern("a token of GitHub", r"\bgithub_pat_[A-Za-z0-9_]{22,255}\b", true, false),
        pattern("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{20,64}\b", true, false),
        pattern("a key of Google", r"\bAIza[A-Za-z0-9_-]{35}\b", false, false),
        pattern("a key of Stripe", r"\b[sr]k_live_[A-Za-z0-9]{16,255}\b", true, false),
        pattern(
            "a JSON web token",
            r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{16,1000}",
            true,
            false,
        ),
        pattern(
            "a password, token or key",
            concat!(
                r#"(?i)(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credentials?)["']?[ \t]{0,8}[:=]"#,
                r#"[ \t]{0,8}["']?([A-Za-z0-9+/_-]{20,512}={0,2})"#
            ),
            false,
            true,
        ),
    ]
});

/// Looks through text files, given by their paths in the folder.
pub(super) fn check(folder: &Path, files: &[String], report: &mut Report) {
    for file in files {
        if let Ok(bytes) = read_bounded(&folder.join(file), MAX_BYTES) {
            look_through(file, &bytes, false, report);
        }
    }
}

/// Looks through the bytes of one file; in those of a library, for what is as good as certain.
pub(super) fn look_through(file: &str, bytes: &[u8], is_library: bool, report: &mut Report) {
    let mut found = 0;
    for pattern in PATTERNS.iter().filter(|pattern| pattern.is_token || !is_library) {
        for captures in pattern.regex.captures_iter(bytes) {
            let Some(whole) = captures.get(0) else { continue };
            let looked_at = captures.get(1).unwrap_or(whole).as_bytes();
            if is_placeholder(looked_at) || pattern.is_random && !is_random(looked_at) {
                continue;
            }
            found += 1;
            if found > MAX_FINDINGS {
                return;
            }
            let before = bytes.get(..whole.start()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            report.add(
                Severity::Error,
                CODE,
                file,
                (!is_library).then_some(line),
                // The secret itself would end up in logs of builds.
                format!("there is what looks like {}", pattern.name),
                "take it out, and have it replaced where it is valid: whoever has seen it may use it"
                    .to_owned(),
            );
        }
    }
}

fn is_placeholder(text: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(text).to_lowercase();
    PLACEHOLDERS.iter().any(|word| lower.contains(word))
}

/// Whether it is mixed as what is made at random is: words and paths are not.
fn is_random(text: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| text.iter().any(is);
    let is_hex = text.len() >= 32 && text.iter().all(u8::is_ascii_hexdigit);
    has(u8::is_ascii_digit) && (is_hex || (has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, is_library: bool) -> Vec<(Option<usize>, String)> {
        let mut report = Report::default();
        look_through("x", text.as_bytes(), is_library, &mut report);
        report.findings.into_iter().map(|finding| (finding.line, finding.problem)).collect()
    }

    /// Put together here, so that this file has none in it.
    fn secrets() -> Vec<String> {
        let random = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5";
        vec![
            format!("-----BEGIN {}-----", "RSA PRIVATE KEY"),
            format!("-----BEGIN {}-----", "PRIVATE KEY"),
            format!("RWRTY0Iy{}", random.repeat(4)),
            format!("AKIA{}", "IOSFODNN7ABCDEFG"),
            format!("xoxb-{random}"),
            format!("https://hooks.slack.com/services/T{}/B{}/{}", "01ABCDEFG", "01ABCDEFG", &random[..24]),
            format!("ghp_{random}"),
            format!("github_pat_{random}"),
            format!("glpat-{}", &random[..20]),
            format!("AIza{}", &random[..35]),
            format!("sk_live_{random}"),
            format!("eyJ{random}.eyJ{random}.{random}"),
            format!("\"smtpPassword\": \"{}\"", &random[..24]),
            format!("API_KEY={random}"),
            format!("token: '{}'", "0123456789abcdef0123456789abcdef"),
        ]
    }

    #[test]
    fn secrets_are_found_with_their_line_and_without_themselves() {
        for secret in secrets() {
            let found = found(&format!("first\n{secret}\n"), false);
            assert_eq!(found.len(), 1, "{secret}: {found:?}");
            assert_eq!(found[0].0, Some(2), "{secret}");
            assert!(!found[0].1.contains(&secret), "{secret}");
        }
    }

    #[test]
    fn placeholders_and_ordinary_text_are_none() {
        for text in [
            "https://hooks.slack.com/services/T00000000/B00000000/replace-with-your-own",
            "\"password\": \"a-long-word-of-an-example-here\"",
            "token: your0Token1Goes2Here3Abcdef",
            "secret = getSecretFromTheEnvironmentOfThePlugin",
            "\"format\": \"password\"",
            "The token is in `data/admin.token`.",
            "-----BEGIN PUBLIC KEY-----",
            "apiKey: /home/ada/some/path/of/files/which/is/long",
        ] {
            assert_eq!(found(text, false), [], "{text}");
        }
    }

    #[test]
    fn in_a_library_only_tokens_are_looked_for() {
        let all = secrets().join("\n");
        let kinds: Vec<_> = found(&all, true).into_iter().map(|(_, problem)| problem).collect();
        assert!(kinds.iter().any(|kind| kind.contains("GitHub")), "{kinds:?}");
        assert!(!kinds.iter().any(|kind| kind.contains("private key")), "{kinds:?}");
    }

    #[test]
    fn a_file_full_of_secrets_is_told_of_a_few_times() {
        let line = format!("{}\n", secrets()[3]);
        assert_eq!(found(&line.repeat(1000), false).len(), MAX_FINDINGS);
    }
}
