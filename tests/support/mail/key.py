"""Makes a key for DKIM and prints it as JSON: `pem`, and `public` as the DNS has it.

    key.py rsa|ed25519
"""

import base64
import json
import sys

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

kind = sys.argv[1]
if kind == "rsa":
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    form = PrivateFormat.TraditionalOpenSSL  # PKCS#1
else:
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    form = PrivateFormat.PKCS8
pem = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
json.dump({"pem": pem, "public": base64.b64encode(public).decode()}, sys.stdout)
