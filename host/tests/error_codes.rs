//! The codes that the sources give out are those that the documents explain.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const LENGTH: usize = "SSP-ABC-123".len();

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The codes in a text, in their order.
fn codes(text: &str) -> Vec<&str> {
    let is_code = |code: &str| {
        let parts: Vec<&str> = code.split('-').collect();
        matches!(parts.as_slice(), ["SSP", area, number]
            if area.len() == 3 && area.bytes().all(|byte| byte.is_ascii_uppercase())
                && number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.match_indices("SSP-")
        .filter_map(|(at, _)| text.get(at..at + LENGTH))
        .filter(|code| is_code(code))
        .collect()
}

/// The Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The codes in the sources' literals.
fn given_out() -> BTreeSet<String> {
    let folders = ["host/src", "host/package/src", "interface/src"].map(|folder| repository().join(folder));
    let mut all = BTreeSet::new();
    for file in folders.iter().flat_map(|folder| sources(folder)) {
        let text = fs::read_to_string(file).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            // Every second part lies between quotes. None of these lines has a quote in its literals.
            all.extend(line.split('"').skip(1).step_by(2).flat_map(codes).map(str::to_owned));
        }
    }
    all
}

/// The codes that have a row in the tables of the document, in its order.
fn explained() -> Vec<String> {
    let text = fs::read_to_string(repository().join("docs/errors.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.flat_map(|(code, _)| codes(code)).map(str::to_owned).collect()
}

#[test]
fn every_code_is_explained_and_every_code_that_is_explained_is_given_out() {
    let (given_out, explained) = (given_out(), explained().into_iter().collect::<BTreeSet<_>>());
    assert!(given_out.len() > 50, "the codes are not where they are looked for: {given_out:?}");
    let unexplained: Vec<_> = given_out.difference(&explained).collect();
    assert!(unexplained.is_empty(), "not in docs/errors.md: {unexplained:?}");
    let unknown: Vec<_> = explained.difference(&given_out).collect();
    assert!(unknown.is_empty(), "in docs/errors.md, and given out by nobody: {unknown:?}");
}

#[test]
fn every_code_is_explained_once_and_in_order() {
    let explained = explained();
    let mut once = BTreeSet::new();
    let twice: Vec<_> = explained.iter().filter(|code| !once.insert(*code)).collect();
    assert!(twice.is_empty(), "more than once in docs/errors.md: {twice:?}");
    // Areas as the document has them, and each area's numbers from low to high.
    let disordered: Vec<_> =
        explained.windows(2).filter(|pair| pair[0][..7] == pair[1][..7] && pair[0] > pair[1]).collect();
    assert!(disordered.is_empty(), "not in order in docs/errors.md: {disordered:?}");
}

#[test]
fn other_documents_name_no_code_that_is_not_explained() {
    let explained: BTreeSet<String> = explained().into_iter().collect();
    for entry in fs::read_dir(repository().join("docs")).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap_or_default();
        let unknown: Vec<_> = codes(&text).into_iter().filter(|code| !explained.contains(*code)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", file.display());
    }
}
