//! Just enough of PostgreSQL's lexical rules to say which statement of a script failed, and to tell transaction control and
//! what changes a session from other statements. It is not the fence: that is the role's.
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>

/// One statement of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) sql: &'a str,
    /// The line in the script that it begins on, from 1.
    pub(super) line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Semicolon,
    /// Anything that matters to nobody here.
    Other,
}

/// What a statement does to the session that it is run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// There is no statement.
    Nothing,
    /// It begins or ends a transaction.
    Transaction,
    /// It asks for, or sends, what no other call of a plugin would ever see.
    Notification,
    /// It reads and does nothing else, as far as its first word says.
    Read,
    /// None that outlives it.
    Data,
    /// Perhaps one that outlives it.
    Session,
}

/// What `sql`, one statement, does to its session.
pub(super) fn effect(sql: &str) -> Effect {
    let mut rest = sql;
    let word = loop {
        match token(&mut rest) {
            Some(Token::Word(word)) => break word.to_ascii_lowercase(),
            Some(_) => {}
            None if sql.trim().is_empty() => return Effect::Nothing,
            // A statement in parentheses begins with a word too.
            None => return Effect::Nothing,
        }
    };
    match word.as_str() {
        "abort" | "begin" | "commit" | "end" | "release" | "rollback" | "savepoint" | "start" => {
            Effect::Transaction
        }
        // `PREPARE TRANSACTION` ends one too.
        "prepare" if next_word(&mut rest) == Some("transaction".to_owned()) => Effect::Transaction,
        "listen" | "notify" | "unlisten" => Effect::Notification,
        "select" | "table" | "values" | "show" => Effect::Read,
        // What comes before the statement itself may change something too.
        "with" if !changes(rest) => Effect::Read,
        "with" | "insert" | "update" | "delete" | "merge" | "create" | "alter" | "drop" | "truncate"
        | "comment" | "grant" | "revoke" | "lock" | "analyze" | "explain" | "refresh" | "reindex" => {
            Effect::Data
        }
        _ => Effect::Session,
    }
}

fn next_word(rest: &mut &str) -> Option<String> {
    match token(rest)? {
        Token::Word(word) => Some(word.to_ascii_lowercase()),
        _ => None,
    }
}

/// Whether one of the words is that of a change. One that is a name is taken for one too.
fn changes(mut rest: &str) -> bool {
    std::iter::from_fn(|| token(&mut rest)).any(|token| match token {
        Token::Word(word) => {
            ["insert", "update", "delete", "merge"].iter().any(|change| word.eq_ignore_ascii_case(change))
        }
        _ => false,
    })
}

/// The statements of a script, without those that are empty.
pub(super) fn split(script: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = script;
    // Where the statement's first token is.
    let mut begin = None;
    // Up to where lines were counted.
    let (mut line, mut counted) = (1, 0);
    let (mut words, mut blocks) = (Vec::new(), 0_usize);
    loop {
        skip_blank(&mut rest);
        let at = script.len() - rest.len();
        let token = token(&mut rest);
        let end = match token {
            Some(Token::Semicolon) if blocks == 0 => at,
            None => script.len(),
            Some(token) => {
                begin.get_or_insert(at);
                if let Token::Word(word) = token {
                    let word = word.to_ascii_lowercase();
                    // A routine's body in SQL has statements of its own: BEGIN ATOMIC … END.
                    match word.as_str() {
                        "begin" if defines_a_routine(&words) => blocks += 1,
                        "case" if blocks > 0 => blocks += 1,
                        "end" if blocks > 0 => blocks -= 1,
                        _ => {}
                    }
                    if words.len() < 4 {
                        words.push(word);
                    }
                }
                continue;
            }
        };
        if let Some(begin) = begin.take() {
            line += script.get(counted..begin).unwrap_or_default().matches('\n').count();
            counted = begin;
            pieces.push(Piece { sql: script.get(begin..end).unwrap_or_default(), line });
        }
        words.clear();
        blocks = 0;
        if token.is_none() {
            return pieces;
        }
    }
}

fn defines_a_routine(words: &[String]) -> bool {
    let mut words = words.iter().map(String::as_str);
    words.next() == Some("create") && words.any(|word| matches!(word, "function" | "procedure"))
}

/// Takes blanks and comments off the front.
fn skip_blank(rest: &mut &str) {
    loop {
        *rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
        if rest.starts_with("--") {
            *rest = rest.find(['\n', '\r']).map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            *rest = after_comment(rest);
        } else {
            return;
        }
    }
}

/// What follows a comment, which may hold others.
fn after_comment(text: &str) -> &str {
    let (mut rest, mut depth) = (text, 0_usize);
    while let Some(at) = rest.find(['/', '*']) {
        let (found, after) = (rest.get(at..at + 2), rest.get(at + 2..).unwrap_or(""));
        match found {
            Some("/*") => (depth, rest) = (depth + 1, after),
            Some("*/") if depth == 1 => return after,
            Some("*/") => (depth, rest) = (depth - 1, after),
            _ => rest = &rest[at + 1..],
        }
    }
    ""
}

/// Takes a token off the front.
fn token<'a>(rest: &mut &'a str) -> Option<Token<'a>> {
    skip_blank(rest);
    let text = *rest;
    let first = text.chars().next()?;
    let (token, length) = match first {
        ';' => (Token::Semicolon, 1),
        '\'' => (Token::Other, 1 + quoted(&text[1..], '\'', false)),
        '"' => (Token::Other, 1 + quoted(&text[1..], '"', false)),
        'e' | 'E' if text[1..].starts_with('\'') => (Token::Other, 2 + quoted(&text[2..], '\'', true)),
        '$' => (Token::Other, dollar_quoted(text)),
        first if is_word(first) && !first.is_ascii_digit() => {
            let end = text.find(|next: char| !is_word(next) && next != '$').unwrap_or(text.len());
            (Token::Word(&text[..end]), end)
        }
        first if first.is_ascii_digit() => {
            // `1e5` and `1_000`, and not words.
            (Token::Other, text.find(|next: char| !is_word(next)).unwrap_or(text.len()))
        }
        other => (Token::Other, other.len_utf8()),
    };
    *rest = text.get(length..).unwrap_or("");
    Some(token)
}

fn is_word(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || byte == '_' || !byte.is_ascii()
}

/// How long the rest of a quoted text is, with its end.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && escapes {
            characters.next();
        } else if character == quote {
            // Two of them are one within.
            match characters.peek() {
                Some((_, next)) if *next == quote => drop(characters.next()),
                _ => return at + 1,
            }
        }
    }
    text.len()
}

/// How long `$tag$…$tag$` is; 1 for any other `$`.
fn dollar_quoted(text: &str) -> usize {
    let Some(end) = text[1..].find('$').map(|at| at + 2) else { return 1 };
    let tag = &text[..end];
    let name = &tag[1..tag.len() - 1];
    if name.starts_with(|first: char| first.is_ascii_digit()) || !name.chars().all(is_word) {
        return 1;
    }
    text[end..].find(tag).map_or(text.len(), |at| end + at + tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(script: &str) -> Vec<(&str, usize)> {
        split(script).into_iter().map(|piece| (piece.sql, piece.line)).collect()
    }

    #[test]
    fn a_script_is_split_where_statements_end_and_nowhere_else() {
        assert_eq!(pieces("a; b\n;\n c"), [("a", 1), ("b\n", 1), ("c", 3)]);
        assert_eq!(pieces(" -- x;\n/* a; /* b; */ c; */ ;;\n"), []);
        for whole in [
            "SELECT 'a;b''c;d'",
            "SELECT \"a;\"\"b;\"",
            "SELECT E'a\\';b'",
            "SELECT $$a;'b$$",
            "DO $x$ a; $$ b; $$ c; $x$",
            "SELECT $1 -- ;\n + 1",
            "SELECT a$b;".trim_end_matches(';'),
            "SELECT /* ; */ 1",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
            "CREATE OR REPLACE PROCEDURE p() LANGUAGE SQL BEGIN ATOMIC INSERT INTO t VALUES (1); END",
            "SELECT 'ü;'",
        ] {
            assert_eq!(pieces(&format!("{whole};\nb")), [(whole, 1), ("b", 2 + whole.matches('\n').count())]);
        }
        assert_eq!(pieces("SELECT 'never ended; b").len(), 1);
        assert_eq!(pieces("SELECT $x$ never ended; b").len(), 1);
        assert_eq!(pieces("/* never ended; b"), []);
    }

    #[test]
    fn the_first_word_tells_the_effect() {
        for sql in [
            "BEGIN",
            " begin;",
            "/* x /* y */ */ COMMIT",
            "-- x\r\nEnd",
            "PREPARE TRANSACTION 'x'",
            "(ROLLBACK)",
        ] {
            assert_eq!(effect(sql), Effect::Transaction, "{sql}");
        }
        for sql in [
            "SELECT 1",
            "(SELECT 1) UNION SELECT 2",
            "values (1)",
            "WITH a AS (SELECT 'delete') SELECT * FROM a -- update",
        ] {
            assert_eq!(effect(sql), Effect::Read, "{sql}");
        }
        for sql in ["SET x = 1", "DO $$ $$", "PREPARE p AS SELECT 1", "DECLARE c CURSOR FOR SELECT 1", "x"] {
            assert_eq!(effect(sql), Effect::Session, "{sql}");
        }
        for sql in [
            "UPDATE t SET n = 1",
            "WITH a AS (SELECT 1) DELETE FROM t",
            "WITH a AS (Insert INTO t VALUES (1) RETURNING n) SELECT * FROM a",
        ] {
            assert_eq!(effect(sql), Effect::Data, "{sql}");
        }
        assert_eq!(effect("listen x"), Effect::Notification);
        for sql in ["", " ", "-- x", "/* BEGIN */", ";"] {
            assert_eq!(effect(sql), Effect::Nothing, "{sql}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..proptest::prelude::ProptestConfig::default() })]

        #[test]
        fn every_text_is_split_into_parts_of_it(text in "[ \n;'\"$aEe/*\\-\\\\bBEGINü1]*") {
            for piece in split(&text) {
                proptest::prop_assert!(text.contains(piece.sql));
                proptest::prop_assert!(piece.line <= 1 + text.matches('\n').count());
            }
            effect(&text);
        }
    }
}
