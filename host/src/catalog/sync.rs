//! Whether an index is accepted: pure, from what is known of the catalogue and what was read.

use streamspace_package::{Keyring, PackageError, PublicKey, parse_signatures, verify_signatures};

use super::{
    CatalogError,
    index::{Index, Moment},
    rows::{Content, Row},
};

/// What was read.
pub(super) struct Read {
    pub(super) index: Vec<u8>,
    pub(super) signatures: Vec<u8>,
}

/// An index that is accepted.
pub(super) struct Accepted {
    pub(super) index: Index,
    /// The key from now on, and the one that may come after it.
    pub(super) key: PublicKey,
    pub(super) digest: String,
}

/// The keys that a catalogue's index may be signed with.
pub(super) struct Keys {
    pub(super) key: PublicKey,
    pub(super) next: Option<PublicKey>,
}

/// Verifies and reads an index. Nothing in it is looked at before its signature.
pub(super) fn verified(
    catalogue: &str,
    location: &str,
    keys: &Keys,
    read: &Read,
) -> Result<Accepted, CatalogError> {
    let refused = |source: PackageError| CatalogError::Signature {
        catalogue: catalogue.to_owned(),
        location: location.to_owned(),
        source: Box::new(source),
    };
    let mut keyring = Keyring::new();
    keyring.trust(keys.key.clone(), catalogue);
    if let Some(next) = &keys.next {
        keyring.trust(next.clone(), catalogue);
    }
    let signatures = parse_signatures(&read.signatures).map_err(refused)?;
    let signers = verify_signatures(&read.index, &signatures, &keyring).map_err(refused)?;
    let index = Index::parse(&read.index)
        .map_err(|source| CatalogError::Index { catalogue: catalogue.to_owned(), source })?;
    // A catalogue may revoke one of its own keys: with the other one.
    for (key, reason) in &index.revoked.keys {
        keyring.revoke_key(*key, reason.clone());
    }
    let signers = if index.revoked.keys.is_empty() {
        signers
    } else {
        verify_signatures(&read.index, &signatures, &keyring).map_err(refused)?
    };
    // The newer key takes the older one's place for good once it has signed alone.
    let has_signed = |key: &PublicKey| signers.iter().any(|signer| signer.key == *key);
    let key = match &keys.next {
        Some(next) if has_signed(next) && !has_signed(&keys.key) => next.clone(),
        _ => keys.key.clone(),
    };
    let digest = streamspace_package::ContentHash::of(&read.index).to_string();
    Ok(Accepted { index, key, digest })
}

/// Whether a verified index may follow the one that is known. `Ok(false)`: it is the same one.
pub(super) fn follows(known: &Row, accepted: &Accepted, now_us: u64) -> Result<bool, CatalogError> {
    let catalogue = || known.name.clone();
    if accepted.index.name.as_str() != known.own_name {
        return Err(CatalogError::Another {
            location: known.location.clone(),
            expected: known.own_name.clone(),
            found: accepted.index.name.to_string(),
        });
    }
    let (version, found) = (u64::try_from(known.version).unwrap_or(0), accepted.index.version);
    if found < version {
        return Err(CatalogError::Replayed { catalogue: catalogue(), known: version, found });
    }
    if found == version && accepted.digest != known.digest {
        return Err(CatalogError::Forked { catalogue: catalogue(), version });
    }
    current(&known.name, accepted.index.expires, now_us)?;
    Ok(found > version)
}

/// Whether an index is to be believed still.
pub(super) fn current(catalogue: &str, expires: Moment, now_us: u64) -> Result<(), CatalogError> {
    if expires.us() > now_us {
        return Ok(());
    }
    Err(CatalogError::Expired { catalogue: catalogue.to_owned(), expired: expires })
}

/// What is kept of an index.
pub(super) fn content(index: &Index) -> Content {
    let document = |listing| serde_json::to_string(listing).unwrap_or_default();
    let keys = index.revoked.keys.iter().map(|(key, reason)| (key.to_string(), reason.clone()));
    let packages = index.revoked.packages.iter().map(|(hash, reason)| (hash.to_string(), reason.clone()));
    Content {
        listings: index.plugins.iter().map(|listing| (listing.name.to_string(), document(listing))).collect(),
        revocations: keys.chain(packages).collect(),
    }
}

#[cfg(test)]
mod tests {
    use streamspace_package::{NewKey, SecretKey};

    use super::*;

    fn key() -> NewKey {
        SecretKey::generate(None).expect("a key")
    }

    fn index(next: Option<&NewKey>, revoked: Option<&NewKey>) -> Vec<u8> {
        let mut index: Index = serde_json::from_value(serde_json::json!({
            "schema": 1, "name": "example", "version": 3, "issued_at": "2026-11-26T12:00:00Z",
            "expires": "2027-11-26T12:00:00Z", "plugins": [],
        }))
        .expect("an index");
        index.next_key = next.map(|key| key.public.clone());
        if let Some(key) = revoked {
            index.revoked.keys.insert(key.public.id(), "lost".to_owned());
        }
        index.to_bytes()
    }

    fn signed(index: Vec<u8>, keys: &[&NewKey]) -> Read {
        let mut signatures = String::new();
        for key in keys {
            let secret = SecretKey::from_file_text(&key.secret_file, None).expect("a key");
            signatures.push_str(secret.sign(&index, "a test").expect("a signature").as_str());
        }
        Read { index, signatures: signatures.into_bytes() }
    }

    fn keys(key: &NewKey, next: Option<&NewKey>) -> Keys {
        Keys { key: key.public.clone(), next: next.map(|key| key.public.clone()) }
    }

    fn accept(keys: &Keys, read: &Read) -> Result<Accepted, CatalogError> {
        verified("example", "/srv", keys, read)
    }

    #[test]
    fn a_key_is_followed_by_the_one_that_it_introduced() {
        let (old, new, stranger) = (key(), key(), key());
        let both = signed(index(Some(&new), None), &[&old, &new]);
        let accepted = accept(&keys(&old, None), &both).expect("signed by the old key");
        assert_eq!(accepted.key, old.public);
        let next = Keys { key: accepted.key, next: accepted.index.next_key };
        let alone = signed(index(None, None), &[&new]);
        assert_eq!(accept(&next, &alone).expect("signed by the new key").key, new.public);
        assert!(accept(&keys(&old, None), &alone).is_err(), "nobody introduced it");
        let by_stranger = accept(&next, &signed(index(None, None), &[&stranger]));
        let why = by_stranger.map(|_| ()).expect_err("a stranger").to_string();
        assert!(why.contains(&stranger.public.id().to_string()) && why.contains("whoever hosts"), "{why}");
        assert!(!why.contains("trust add"), "that is about vendors: {why}");
    }

    #[test]
    fn a_key_that_the_index_revokes_does_not_count() {
        let (old, new) = (key(), key());
        let by_old = signed(index(None, Some(&old)), &[&old]);
        let why = accept(&keys(&old, Some(&new)), &by_old).map(|_| ()).expect_err("it revokes itself");
        assert!(why.to_string().contains("lost"), "{why}");
        let by_new = signed(index(None, Some(&old)), &[&new]);
        assert_eq!(accept(&keys(&old, Some(&new)), &by_new).expect("by the other").key, new.public);
    }

    #[test]
    fn a_changed_byte_is_refused() {
        let key = key();
        let mut read = signed(index(None, None), &[&key]);
        let at = read.index.len() / 2;
        read.index[at] ^= 1;
        assert!(accept(&keys(&key, None), &read).is_err());
        read.signatures.clear();
        assert!(accept(&keys(&key, None), &read).is_err());
    }

    #[test]
    fn an_older_one_another_of_the_same_version_and_one_that_is_over_do_not_follow() {
        let key = key();
        let accepted = accept(&keys(&key, None), &signed(index(None, None), &[&key])).expect("accepted");
        let row = |version, digest: &str| Row {
            name: "here".to_owned(),
            own_name: "example".to_owned(),
            location: "/srv".to_owned(),
            public_key: None,
            next_key: None,
            version,
            digest: digest.to_owned(),
            expires_us: 0,
            added_us: 0,
            synced_us: 0,
            failed_us: None,
            failure: None,
        };
        let now = 1_795_000_000_000_000;
        assert!(follows(&row(2, "x"), &accepted, now).expect("newer"));
        assert!(!follows(&row(3, &accepted.digest), &accepted, now).expect("the same"));
        assert!(matches!(follows(&row(4, "x"), &accepted, now), Err(CatalogError::Replayed { .. })));
        assert!(matches!(follows(&row(3, "x"), &accepted, now), Err(CatalogError::Forked { .. })));
        let other = Row { own_name: "another".to_owned(), ..row(2, "x") };
        assert!(matches!(follows(&other, &accepted, now), Err(CatalogError::Another { .. })));
        let later = accepted.index.expires.us();
        assert!(matches!(follows(&row(2, "x"), &accepted, later), Err(CatalogError::Expired { .. })));
    }
}
