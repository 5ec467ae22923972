//! The answer to the challenge of VNC authentication: RFC 6143, 7.2.2.

use des::{
    Des,
    cipher::{BlockCipherEncrypt, KeyInit},
};

/// Encrypts the challenge with the first eight bytes of the password. Each byte's bits are the other way round, as all
/// implementations have them (erratum 4951).
pub(super) fn answer(password: &[u8], challenge: &[u8; 16]) -> [u8; 16] {
    let mut key = [0; 8];
    for (to, from) in key.iter_mut().zip(password) {
        *to = from.reverse_bits();
    }
    let cipher = Des::new(&key.into());
    let mut answer = *challenge;
    for block in answer.as_chunks_mut::<8>().0 {
        let mut encrypted = (*block).into();
        cipher.encrypt_block(&mut encrypted);
        *block = encrypted.into();
    }
    answer
}
