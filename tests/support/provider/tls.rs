use std::{io::Write, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tempfile::NamedTempFile;

/// A certificate authority made for one provider, and the server that it vouches for.
#[derive(Debug)]
pub(super) struct Authority {
    /// Its certificate, as PEM.
    pub(super) file: NamedTempFile,
    pub(super) server: Arc<ServerConfig>,
}

impl Authority {
    pub(super) fn new(names: &[&str]) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "StreamSpace test authority");
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(root.pem().as_bytes()).unwrap();

        let server_key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let server_params = CertificateParams::new(names).unwrap();
        let certificate = server_params.signed_by(&server_key, &Issuer::new(params, key)).unwrap();
        let server_key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], server_key)
            .unwrap();
        Self { file, server: Arc::new(server) }
    }
}
