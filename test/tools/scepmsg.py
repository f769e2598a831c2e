# SPDX-License-Identifier: Apache-2.0
"""SCEP messages from the outside: an independent writer, which can also write what is wrong, and an
independent reader of Muster's replies (RFC 8894, RFC 5652), on python3-cryptography."""

import datetime
import os
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.x509.oid import NameOID

import der

DATA, SIGNED, ENVELOPED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.3"
RSA, RSA_OAEP = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.7"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
CHALLENGE, EXTENSION_REQUEST = "1.2.840.113549.1.9.7", "1.2.840.113549.1.9.14"
SAN, BASIC, KEY_USAGE, EKU = "2.5.29.17", "2.5.29.19", "2.5.29.15", "2.5.29.37"
VERISIGN = "2.16.840.1.113733.1.9."
MESSAGE_TYPE, PKI_STATUS, FAIL_INFO = VERISIGN + "2", VERISIGN + "3", VERISIGN + "4"
SENDER_NONCE, RECIPIENT_NONCE, TRANSACTION = VERISIGN + "5", VERISIGN + "6", VERISIGN + "7"
FAIL_INFO_TEXT = "1.3.6.1.5.5.7.24.1"

DIGESTS = {
    "md5": ("1.2.840.113549.2.5", hashes.MD5),
    "sha1": ("1.3.14.3.2.26", hashes.SHA1),
    "sha256": ("2.16.840.1.101.3.4.2.1", hashes.SHA256),
    "sha384": ("2.16.840.1.101.3.4.2.2", hashes.SHA384),
    "sha512": ("2.16.840.1.101.3.4.2.3", hashes.SHA512),
}
CIPHERS = {
    "aes128": ("2.16.840.1.101.3.4.1.2", algorithms.AES, 16, 16),
    "aes192": ("2.16.840.1.101.3.4.1.22", algorithms.AES, 24, 16),
    "aes256": ("2.16.840.1.101.3.4.1.42", algorithms.AES, 32, 16),
    "des": ("1.3.14.3.2.7", algorithms.TripleDES, 8, 8), # 3DES with one key three times
    "des3": ("1.2.840.113549.3.7", algorithms.TripleDES, 24, 8),
}
SIGNATURE_WITH = {"sha1": "5", "sha256": "11", "sha384": "12", "sha512": "13", "md5": "4"}


def algorithm(dotted, parameters=None):
    return der.seq(der.oid(dotted), der.null() if parameters is None else parameters)


def digest_of(name, data):
    h = hashes.Hash(DIGESTS[name][1]())
    h.update(data)
    return h.finalize()


def new_key(bits=2048, exponent=65537):
    return rsa.generate_private_key(public_exponent=exponent, key_size=bits)


def new_ec_key(curve="P-256"):
    return ec.generate_private_key({"P-256": ec.SECP256R1, "P-384": ec.SECP384R1}[curve]())


def is_ec(key):
    return isinstance(key, ec.EllipticCurvePrivateKey)


def sign(key, data, digest):
    """RSA PKCS #1 v1.5, or ECDSA."""
    kind = DIGESTS[digest][1]()
    return key.sign(data, ec.ECDSA(kind)) if is_ec(key) else key.sign(data, padding.PKCS1v15(), kind)


def ecdsa_with(digest):
    return der.seq(der.oid("1.2.840.10045.4.3." + {"sha256": "2", "sha384": "3", "sha512": "4"}[digest]))


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def rsa_spki(modulus, exponent):
    """An RSA key as a number pair, however odd."""
    return der.seq(algorithm(RSA), der.bits(der.seq(der.integer(modulus), der.integer(exponent))))


def name(text):
    """"CN=gw-1,O=Example" in the order of RFC 4514."""
    return x509.Name.from_rfc4514_string(text).public_bytes() if text else der.seq()


# --- Certificate requests ------------------------------------------------------


def san(*texts):
    """GeneralNames from "DNS:a", "email:b", "URI:c", "IP:4 bytes in hex"; bytes are taken as they are."""
    tags = {"email": 1, "DNS": 2, "URI": 6}
    names = []
    for text in texts:
        if isinstance(text, bytes):
            names.append(text)
            continue
        kind, value = text.split(":", 1)
        content = bytes.fromhex(value) if kind == "IP" else value.encode()
        names.append(der.context(7 if kind == "IP" else tags[kind], content, constructed=False))
    return der.seq(*names)


def extension(dotted, value, critical=False):
    return der.seq(der.oid(dotted), der.boolean(True) if critical else b"", der.octets(value))


def attribute(dotted, *values):
    return der.seq(der.oid(dotted), der.set_as_given(*values))


def challenge(password):
    return attribute(CHALLENGE, password if isinstance(password, bytes) else der.printable(password))


def extension_request(*extensions):
    return attribute(EXTENSION_REQUEST, der.seq(*extensions))


def csr(key, subject=b"\x30\x00", attributes=(), public=None, digest="sha256", spoil=False):
    """A PKCS#10 request; `public` puts another key into it, `spoil` breaks its signature."""
    info = der.seq(der.integer(0), subject, public or spki(key), der.context(0, *attributes))
    signature = sign(key, info, digest)
    if spoil:
        signature = bytes([signature[0] ^ 1]) + signature[1:]
    how = ecdsa_with(digest) if is_ec(key) else algorithm("1.2.840.113549.1.1." + SIGNATURE_WITH[digest])
    return der.seq(info, how, der.bits(signature))


def self_signed(key, subject=None, start_days=-1, end_days=1):
    when = datetime.datetime.utcnow()
    who = subject if isinstance(subject, x509.Name) else x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, subject or "SCEP client")])
    return (x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(when + datetime.timedelta(days=start_days))
            .not_valid_after(when + datetime.timedelta(days=end_days))
            .sign(key, hashes.SHA256()))


# --- Messages --------------------------------------------------------------------


def cert_der(cert):
    return cert.public_bytes(serialization.Encoding.DER)


def issuer_and_serial(cert):
    return der.seq(cert.issuer.public_bytes(), der.integer(cert.serial_number))


def recipient_info(cert, key, oaep=False):
    how = algorithm(RSA)
    pad = padding.PKCS1v15()
    if oaep:
        how = der.seq(der.oid(RSA_OAEP), der.seq())
        pad = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    return der.seq(der.integer(0), issuer_and_serial(cert), how, der.octets(cert.public_key().encrypt(key, pad)))


def envelope(data, recipients, cipher="aes128", oaep=False):
    """ContentInfo(EnvelopedData); one KeyTransRecipientInfo for each of `recipients`."""
    dotted, kind, key_bytes, block = CIPHERS[cipher]
    key, iv = os.urandom(key_bytes), os.urandom(block)
    fill = block - len(data) % block
    worker = Cipher(kind(key), modes.CBC(iv)).encryptor()
    sealed = worker.update(data + bytes([fill]) * fill) + worker.finalize()
    infos = [recipient_info(cert, key, oaep) for cert in recipients]
    content = der.seq(der.oid(DATA), algorithm(dotted, der.octets(iv)), der.context(0, sealed, constructed=False))
    return der.seq(der.oid(ENVELOPED), der.context(0, der.seq(der.integer(0), der.set_of(*infos), content)))


@dataclass
class Message:
    """A pkiMessage to be written; every field can be set to something wrong."""

    key: object                         # signs
    cert: object                        # of the signer
    recipients: list = field(default_factory=list)
    data: bytes = b""                   # messageData, in clear
    message_type: object = 19           # a number, or the whole value as DER, or a list of values; None: missing
    transaction: object = None          # text, or DER of the value; None: one is made
    nonce: object = None                # bytes, or DER of the value; None: one is made; False: missing
    cipher: str = "aes128"
    digest: str = "sha256"
    oaep: bool = False
    content: bytes = None               # instead of the envelope
    extra: list = field(default_factory=list)       # further attributes
    drop: tuple = ()                    # OIDs of attributes to leave out
    embed: list = None                  # certificates inside; default: the signer's
    content_type: str = DATA
    sort: bool = True                   # signed attributes in DER's order
    password: str = None                # opens the reply, where the signer's key cannot decrypt

    def __post_init__(self):
        if self.transaction is None:
            self.transaction = os.urandom(16).hex()
        if self.nonce is None:
            self.nonce = os.urandom(16)

    def _attributes(self, content):
        types = self.message_type if isinstance(self.message_type, list) else [self.message_type]
        values = [v if isinstance(v, bytes) else der.printable(str(v)) for v in types if v is not None]
        found = [
            (CONTENT_TYPE, [der.oid(self.content_type)]),
            (MESSAGE_DIGEST, [der.octets(digest_of(self.digest, content))]),
            (SIGNING_TIME, [der.utc_time(datetime.datetime.utcnow())]),
        ]
        if values:
            found.append((MESSAGE_TYPE, values))
        if self.transaction is not False:
            found.append((TRANSACTION, [self.transaction if isinstance(self.transaction, bytes)
                                        else der.printable(self.transaction)]))
        if self.nonce is not False:
            raw = isinstance(self.nonce, tuple)
            found.append((SENDER_NONCE, [self.nonce[0] if raw else der.octets(self.nonce)]))
        kept = [attribute(dotted, *values) for dotted, values in found if dotted not in self.drop]
        return kept + self.extra

    def der(self):
        content = self.content
        if content is None:
            content = envelope(self.data, self.recipients, self.cipher, self.oaep)
        attributes = self._attributes(content)
        signed = der.set_of(*attributes) if self.sort else der.set_as_given(*attributes)
        kind = DIGESTS[self.digest]
        signature = sign(self.key, signed, self.digest)
        how = ecdsa_with(self.digest) if is_ec(self.key) else algorithm(RSA)
        signer = der.seq(der.integer(1), issuer_and_serial(self.cert), algorithm(kind[0]),
                         b"\xa0" + signed[1:], how, der.octets(signature))
        embedded = [cert_der(c) for c in ([self.cert] if self.embed is None else self.embed)]
        inner = der.seq(der.oid(self.content_type), der.context(0, der.octets(content)))
        body = der.seq(der.integer(1), der.set_of(algorithm(kind[0])), inner,
                       der.context(0, *embedded) if embedded else b"", der.set_of(signer))
        return der.seq(der.oid(SIGNED), der.context(0, body))


# --- Replies ---------------------------------------------------------------------


@dataclass
class Reply:
    status: int
    fail_info: int
    text: str
    transaction: str
    recipient_nonce: bytes
    sender_nonce: bytes
    digest: str
    cipher: str
    oaep: bool
    signer: object
    certs: list


def certs_only(data):
    """The certificates of a degenerate SignedData, in their order."""
    signed = der.read(data)
    assert signed[0].oid() == SIGNED
    body = signed[1][0]
    found = [node for node in body if node.tag == 0xA0]
    assert len(body[-1]) == 0, "a certs-only message has no SignerInfo"
    return [x509.load_der_x509_certificate(c.raw) for c in found[0]]


def _attributes_of(node):
    found = {}
    for item in node:
        key = item[0].oid()
        assert key not in found, f"attribute {key} stands there twice"
        assert len(item[1]) == 1, f"attribute {key} has {len(item[1])} values"
        found[key] = item[1][0]
    assert [n.raw for n in node] == sorted(n.raw for n in node), "signed attributes not in DER's order"
    return found


def _find_signer(info, embedded, candidates):
    for cert in [*embedded, *candidates]:
        if issuer_and_serial(cert) == info[1].raw:
            return cert
    raise AssertionError("the signer's certificate is nowhere")


PBKDF2, PWRI_KEK, HMAC_SHA256 = "1.2.840.113549.1.5.12", "1.2.840.113549.1.9.16.3.9", "1.2.840.113549.2.9"


def _cbc(key, iv, data):
    worker = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return worker.update(data) + worker.finalize()


def _open_by_password(info, password):
    """PasswordRecipientInfo (RFC 5652 s6.2.4): the content key, with PBKDF2 and RFC 3211's wrap."""
    assert info.tag == 0xA3 and info[0].content == b"\0"
    derivation, wrap, sealed = info[1], info[2], info[3].content
    assert derivation.tag == 0xA0 and derivation[0].oid() == PBKDF2
    salt, count, prf = derivation[1][0].content, int.from_bytes(derivation[1][1].content, "big"), derivation[1][2]
    assert prf[0].oid() == HMAC_SHA256 and count >= 10000 and len(salt) >= 16
    assert wrap[0].oid() == PWRI_KEK
    bits = {CIPHERS["aes128"][0]: 16, CIPHERS["aes256"][0]: 32}[wrap[1][0].oid()]
    kek = PBKDF2HMAC(hashes.SHA256(), bits, salt, count).derive(password.encode())
    inner = _cbc(kek, sealed[-32:-16], sealed[-16:])
    plain = _cbc(kek, wrap[1][1].content, _cbc(kek, inner, sealed))
    cek = plain[4:4 + plain[0]]
    assert all(a ^ b == 0xff for a, b in zip(plain[1:4], cek)), "check octets"
    return cek


def _open_envelope(data, key, cert, password=None):
    outer = der.read(data)
    assert outer[0].oid() == ENVELOPED
    body = outer[1][0]
    infos, sealed = body[1], body[2]
    assert len(infos) == 1, "one recipient"
    info = infos[0]
    if is_ec(key):
        assert body[0].content == b"\3"
        return _decrypt(sealed, _open_by_password(info, password)) + (False,)
    assert not cert or info[1].raw == issuer_and_serial(cert), "the reply is for the signer of the request"
    oaep = info[2][0].oid() == RSA_OAEP
    pad = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None) if oaep else padding.PKCS1v15()
    return _decrypt(sealed, key.decrypt(info[3].content, pad)) + (oaep,)


def _decrypt(sealed, cek):
    wanted = sealed[1][0].oid()
    cipher, row = next((n, r) for n, r in CIPHERS.items() if r[0] == wanted)
    worker = Cipher(row[1](cek), modes.CBC(sealed[1][1].content)).decryptor()
    plain = worker.update(sealed[2].content) + worker.finalize()
    fill = plain[-1]
    assert 1 <= fill <= row[3] and plain.endswith(bytes([fill]) * fill), "padding"
    return plain[:-fill], cipher


def read_reply(data, key, cert, ca_certs, password=None):
    """Read and prove a CertRep; AssertionError or InvalidSignature where anything is not as the RFC says.
    With `cert` None it may be for any recipient whose key is `key`."""
    outer = der.read(data)
    assert outer[0].oid() == SIGNED
    body = outer[1][0]
    embedded = [x509.load_der_x509_certificate(c.raw) for n in body if n.tag == 0xA0 for c in n]
    assert len(body[-1]) == 1, "one SignerInfo"
    info = body[-1][0]
    signer = _find_signer(info, embedded, ca_certs)
    assert cert_der(signer) in [cert_der(c) for c in ca_certs], "the signer is among GetCACert's"
    digest = next(n for n, row in DIGESTS.items() if row[0] == info[2][0].oid())
    signed = info[3]
    signer.public_key().verify(info[-1].content, b"\x31" + signed.raw[1:], padding.PKCS1v15(), DIGESTS[digest][1]())
    found = _attributes_of(signed)
    inner = [n for n in body[2]]
    content = inner[1][0].content if len(inner) > 1 else b""
    assert found[MESSAGE_DIGEST].content == digest_of(digest, content), "messageDigest"
    assert found[MESSAGE_TYPE].content == b"3", "messageType CertRep"
    status = int(found[PKI_STATUS].content)
    certs, cipher, oaep = [], None, False
    if status == 0:
        plain, cipher, oaep = _open_envelope(content, key, cert, password)
        certs = certs_only(plain)
    else:
        assert content == b"", "FAILURE and PENDING carry no envelope (RFC 8894 s3.3.2)"
    return Reply(
        status=status,
        fail_info=int(found[FAIL_INFO].content) if FAIL_INFO in found else None,
        text=found[FAIL_INFO_TEXT].content.decode() if FAIL_INFO_TEXT in found else "",
        transaction=found[TRANSACTION].content.decode("latin-1"),
        recipient_nonce=found[RECIPIENT_NONCE].content if RECIPIENT_NONCE in found else None,
        sender_nonce=found[SENDER_NONCE].content,
        digest=digest, cipher=cipher, oaep=oaep, signer=signer, certs=certs)
