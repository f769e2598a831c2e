#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the files in good/ and bad/ and the table vectors.tsv that says how each must end.

Usage: vectors.py            (run in lib/pki; needs python3-cryptography)

Every run uses fresh keys, which are thrown away: only what is read is kept.  To add a single
odd input by hand, drop the file into good/ or bad/ and add its line to vectors.tsv.
"""
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ROWS = []

# --- DER ---------------------------------------------------------------------


def tlv(tag, *parts):
    content = b"".join(parts)
    n = len(content)
    if n < 0x80:
        return bytes([tag, n]) + content
    size = (n.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + n.to_bytes(size, "big") + content


def seq(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *parts)


def integer(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True))


def bits(octets, unused=0):
    return tlv(0x03, bytes([unused]) + octets)


def octets(content):
    return tlv(0x04, content)


def oid(dotted):
    arcs = [int(a) for a in dotted.split(".")]
    out = b""
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        piece = [arc & 0x7F]
        while arc := arc >> 7:
            piece.append(0x80 | arc & 0x7F)
        out += bytes(reversed(piece))
    return tlv(0x06, out)


UTF8, PRINTABLE, T61, IA5, UNIVERSAL, BMP = 0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E
NULL = b"\x05\x00"
TRUE = b"\x01\x01\xff"


def rdn(value, tag=UTF8, attribute="2.5.4.3"):
    return set_of(seq(oid(attribute), tlv(tag, value)))


NAME = seq(rdn(b"gw-17"))


def spki_of(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def rsa_spki(n, e, params=NULL):
    return seq(seq(oid("1.2.840.113549.1.1.1"), params), bits(seq(integer(n), integer(e))))


def ec_spki(params, point):
    return seq(seq(oid("1.2.840.10045.2.1"), params), bits(point))


ECDSA_SHA256 = seq(oid("1.2.840.10045.4.3.2"))
RSA_SHA256 = seq(oid("1.2.840.113549.1.1.11"), NULL)


def sign(data, key, digest=hashes.SHA256()):
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), digest)
    return key.sign(data, ec.ECDSA(digest))


# --- Requests ----------------------------------------------------------------


def attribute(dotted, *values):
    return seq(oid(dotted), set_of(*values))


def with_end(element, more):
    """The same element with something more at the end of its content."""
    head = 2 if element[1] < 0x80 else 2 + (element[1] & 0x7F)
    return tlv(element[0], element[head:], more)


def challenge(*values):
    return attribute("1.2.840.113549.1.9.7", *values)


def wish(*extensions, dotted="1.2.840.113549.1.9.14"):
    return attribute(dotted, seq(*extensions))


def extension(dotted, value, critical=False):
    return seq(oid(dotted), TRUE if critical else b"", octets(value))


def csr(*attributes, subject=NAME, key=P256, spki=None, algorithm=None, digest=hashes.SHA256(), version=integer(0),
        raw=None):
    fields = tlv(0xA0, *attributes) if raw is None else raw
    info = seq(version, subject, spki or spki_of(key), fields)
    algorithm = algorithm or (ECDSA_SHA256 if key is P256 else RSA_SHA256)
    return seq(info, algorithm, bits(sign(info, key, digest)))


def case(kind, folder, name, der, status="ok", text="-"):
    pathlib.Path(folder, f"{name}.{kind}").write_bytes(der)
    ROWS.append(f"{folder}/{name}.{kind}\t{kind}\t{status}\t{text}")


def good(kind, name, der, text="-"):
    case(kind, "good", name, der, "ok", text)


def bad(kind, name, der, text, status="bad-input"):
    case(kind, "bad", name, der, status, text)


def requests():
    good("csr", "challenge-printable", csr(challenge(tlv(PRINTABLE, b"one time 17"))), "one time 17")
    good("csr", "challenge-utf8", csr(challenge(tlv(UTF8, "schl\u00fcssel".encode()))), "schl\u00fcssel")
    good("csr", "challenge-ia5", csr(challenge(tlv(IA5, b"a@b"))), "a@b")
    good("csr", "challenge-t61", csr(challenge(tlv(T61, "schl\u00fcssel".encode("latin1")))), "schl\u00fcssel")
    good("csr", "challenge-bmp", csr(challenge(tlv(BMP, "schl\u00fcssel".encode("utf-16-be")))), "schl\u00fcssel")
    good("csr", "challenge-universal", csr(challenge(tlv(UNIVERSAL, "\u20ac5".encode("utf-32-be")))), "\u20ac5")
    good("csr", "challenge-empty", csr(challenge(tlv(PRINTABLE, b""))))
    good("csr", "no-attributes", csr())
    good("csr", "no-attributes-field", csr(raw=b""))
    good("csr", "empty-subject", csr(subject=seq()))
    good("csr", "rsa-2048", csr(key=RSA))
    good("csr", "microsoft-extension-request",
         csr(wish(extension("2.5.29.17", seq(tlv(0x82, b"gw.example"))), dotted="1.3.6.1.4.1.311.2.1.14")))
    good("csr", "unknown-attribute", csr(attribute("1.3.6.1.4.1.311.13.2.3", tlv(IA5, b"10.0"))))

    # Well-formed, but no template lets them pass: see template_test.c.
    good("csr", "asks-for-ca", csr(wish(extension("2.5.29.19", seq(TRUE), True))))
    good("csr", "asks-for-key-cert-sign", csr(wish(extension("2.5.29.15", bits(b"\x04", 2), True))))
    good("csr", "asks-for-crl-sign", csr(wish(extension("2.5.29.15", bits(b"\x82", 1), True))))
    good("csr", "asks-for-code-signing", csr(wish(extension("2.5.29.37", seq(oid("1.3.6.1.5.5.7.3.3"))))))
    good("csr", "asks-for-client-auth", csr(wish(extension("2.5.29.37", seq(oid("1.3.6.1.5.5.7.3.2"))))))

    password = tlv(PRINTABLE, b"secret")
    bad("csr", "challenge-twice", csr(challenge(password), challenge(password)), "challengePassword appears twice")
    bad("csr", "challenge-two-values", csr(challenge(password, tlv(PRINTABLE, b"other"))), "with 2 values")
    bad("csr", "challenge-no-value", csr(challenge()), "with 0 values")
    bad("csr", "challenge-integer", csr(challenge(integer(7))), "is no string")
    bad("csr", "challenge-nul", csr(challenge(tlv(UTF8, b"se\0cret"))), "control character in challengePassword")
    bad("csr", "challenge-huge", csr(challenge(tlv(UTF8, b"a" * 2000))), "challengePassword of 2000 bytes")
    bad("csr", "challenge-odd-bmp", csr(challenge(tlv(BMP, b"\0a\0"))), "wrong length")

    san = extension("2.5.29.17", seq(tlv(0x82, b"gw.example")))
    bad("csr", "extension-request-twice", csr(wish(san), wish(san)), "extensionRequest appears twice")
    bad("csr", "extension-doubled", csr(wish(san, san)), "repeats an earlier one")
    bad("csr", "san-nul", csr(wish(extension("2.5.29.17", seq(tlv(0x82, b"gw\0.example"))))), "byte 0x00 in a name")
    bad("csr", "san-none", csr(wish(extension("2.5.29.17", seq()))), "no name in it")
    bad("csr", "san-empty-name", csr(wish(extension("2.5.29.17", seq(tlv(0x82))))), "an empty name")
    bad("csr", "san-address-of-5", csr(wish(extension("2.5.29.17", seq(tlv(0x87, b"12345"))))), "5 octets")
    bad("csr", "san-65-names", csr(wish(extension("2.5.29.17", seq(tlv(0x82, b"a") * 65)))), "more than 64 names")
    bad("csr", "san-directory-nul",
        csr(wish(extension("2.5.29.17", seq(tlv(0xA4, seq(rdn(b"a\0b"))))))), "control character")
    bad("csr", "eku-empty", csr(wish(extension("2.5.29.37", seq()))), "no purpose in it")
    bad("csr", "eku-huge-oid", csr(wish(extension("2.5.29.37", seq(tlv(6, b"\x2a" + b"\x81" * 3000 + b"\x01"))))),
        "object identifier of 3002 bytes")
    bad("csr", "basic-constraints-malformed", csr(wish(extension("2.5.29.19", integer(1)))), "basicConstraints")
    bad("csr", "key-usage-empty", csr(wish(extension("2.5.29.15", bits(b"")))), "keyUsage")

    bad("csr", "subject-nul", csr(subject=seq(rdn(b"gw\0evil"))), "control character")
    bad("csr", "subject-newline", csr(subject=seq(rdn(b"gw\nevil"))), "control character")
    bad("csr", "subject-c1-control", csr(subject=seq(rdn("gw\u0085".encode()))), "control character")
    bad("csr", "subject-octet-string", csr(subject=seq(rdn(b"gw", 0x04))), "want a string")
    bad("csr", "subject-bad-utf8", csr(subject=seq(rdn(b"\xc3\x28"))), "not properly encoded")
    bad("csr", "subject-empty-value", csr(subject=seq(rdn(b""))), "an empty value")
    bad("csr", "subject-empty-rdn", csr(subject=seq(set_of())), "Name")
    bad("csr", "version-2", csr(version=integer(1)), "version is not v1")
    bad("csr", "trailing-byte", csr() + b"\0", "behind the end")
    whole = csr()
    bad("csr", "truncated", whole[:-1], "DER")
    bad("csr", "indefinite-length", b"\x30\x80" + whole[3:] + b"\0\0", "indefinite length")
    bad("csr", "signature-flipped", whole[:-1] + bytes([whole[-1] ^ 1]), "-", "bad-proof")
    bad("csr", "signed-by-another-key", csr(spki=spki_of(ec.generate_private_key(ec.SECP256R1()))), "does not hold",
        "bad-proof")
    bad("csr", "rsa-signature-ec-key", csr(spki=spki_of(P256), key=RSA), "another kind", "bad-proof")
    bad("csr", "sha1", csr(key=RSA, algorithm=seq(oid("1.2.840.113549.1.1.5"), NULL), digest=hashes.SHA1()),
        "too weak", "refused")
    bad("csr", "md5", csr(key=RSA, algorithm=seq(oid("1.2.840.113549.1.1.4"), NULL), digest=hashes.MD5()),
        "too weak", "refused")
    bad("csr", "unknown-signature-algorithm", csr(algorithm=seq(oid("1.2.3.4"))), "unknown signature", "refused")
    bad("csr", "rsa-1024", csr(key=rsa.generate_private_key(65537, 1024)), "RSA key of 1024 bits", "refused")
    bad("csr", "rsa-exponent-3", csr(key=rsa.generate_private_key(3, 2048)), "under 65537", "refused")

    odd = "1.3.6.1.4.1.311.13.2.3"
    good("csr", "unknown-attribute-twice", csr(attribute(odd, tlv(IA5, b"10.0")), attribute(odd, tlv(IA5, b"10.1"))))
    good("csr", "unknown-attribute-no-value", csr(attribute(odd)))
    good("csr", "unknown-attribute-many-values", csr(attribute(odd, integer(-7), NULL, TRUE, bits(b"\x80", 7), seq(),
                                                               oid("1.2.3"), tlv(0x8C, b"x"), tlv(0xA0, NULL))))
    good("csr", "extension-request-empty", csr(wish()))
    good("csr", "microsoft-enrolment",
         csr(attribute(odd, tlv(IA5, b"10.0.19045.2")),
             attribute("1.3.6.1.4.1.311.21.20", seq(integer(9), tlv(UTF8, b"gw"), tlv(UTF8, b"u"), tlv(UTF8, b"p"))),
             attribute("1.3.6.1.4.1.311.13.2.2", seq(integer(1), tlv(BMP, b"\0C\0S\0P"), bits(b""))), wish(san),
             challenge(password)), "secret")
    bad("csr", "extension-request-by-both-numbers", csr(wish(san), wish(san, dotted="1.3.6.1.4.1.311.2.1.14")),
        "extensionRequest appears twice")
    bad("csr", "extension-request-octet-string", csr(attribute("1.2.840.113549.1.9.14", octets(b""))),
        "extensionRequest is not a SEQUENCE")
    bad("csr", "extension-request-not-extensions", csr(wish(octets(b""))), "extension 1 (RFC 5280 s4.2): DER: tag 0x04")
    bad("csr", "extension-trailing", csr(wish(with_end(san, NULL))), "2 bytes behind extnValue")
    bad("csr", "attributes-primitive", csr(raw=tlv(0x80, attribute(odd, NULL))), "behind its fields")
    bad("csr", "attributes-twice", csr(raw=tlv(0xA0) * 2), "2 bytes behind its fields")
    bad("csr", "attributes-trailing", csr(raw=tlv(0xA0) + NULL), "2 bytes behind its fields")
    bad("csr", "attribute-null", csr(NULL), "attribute 1 (RFC 2986 s4.1): DER: tag 0x05")
    bad("csr", "attribute-trailing", csr(with_end(attribute(odd, NULL), NULL)), "2 bytes behind its values")
    bad("csr", "attribute-values-sequence", csr(seq(oid(odd), seq(NULL))), "DER: tag 0x30, want 0x31")
    bad("csr", "attribute-type-cut", csr(seq(tlv(6, b"\x2a\x83"), set_of(NULL))), "empty or cut")
    bad("csr", "attribute-type-padded", csr(seq(tlv(6, b"\x2a\x80\x01"), set_of(NULL))), "superfluous octet")
    bad("csr", "attribute-type-empty", csr(seq(tlv(6), set_of(NULL))), "empty or cut")
    bad("csr", "attribute-value-null", csr(attribute(odd, tlv(5, b"x"))), "a NULL of 1 octets")
    bad("csr", "attribute-value-end-of-contents", csr(attribute(odd, b"\0\0")), "tag 0x00")
    bad("csr", "version-negative", csr(version=integer(-1)), "negative")
    bad("csr", "version-padded", csr(version=tlv(2, b"\0\0")), "superfluous octet")
    bad("csr", "version-boolean", csr(version=tlv(1, b"\0")), "DER: tag 0x01, want 0x02")
    bad("csr", "subject-set", csr(subject=set_of()), "subject: DER: tag 0x31, want 0x30")
    bad("csr", "key-octet-string", csr(spki=octets(spki_of(P256))), "subjectPKInfo: DER: tag 0x04, want 0x30")
    bad("csr", "algorithm-bare", csr(algorithm=oid("1.2.840.10045.4.3.2")), "signatureAlgorithm: DER: tag 0x06")
    bad("csr", "signature-trailing", with_end(csr(), NULL), "2 bytes behind the signature")
    bad("csr", "signature-octet-string", csr_of(sign_as=octets), "DER: tag 0x04, want 0x03")
    bad("csr", "signature-unused-bits", csr_of(sign_as=lambda s: bits(s, 1)), "not whole octets")


def csr_of(sign_as):
    info = seq(integer(0), NAME, spki_of(P256), tlv(0xA0))
    return seq(info, ECDSA_SHA256, sign_as(sign(info, P256)))


def keys():
    n = RSA.public_key().public_numbers().n
    x962 = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    point = P256.public_key().public_bytes(*x962)
    p256 = oid("1.2.840.10045.3.1.7")
    off = point[:-1] + bytes([point[-1] ^ 1])
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    explicit = seq(integer(1), seq(oid("1.2.840.10045.1.1"), integer(p)), seq(octets(b"\1"), octets(b"\2")),
                   octets(point), integer(p))
    good("key", "rsa-2048", rsa_spki(n, 65537))
    good("key", "p256", ec_spki(p256, point))
    good("key", "p384", spki_of(ec.generate_private_key(ec.SECP384R1())))
    bad("key", "rsa-2047-bits", rsa_spki(n >> 1 | 1, 65537), "RSA key of 2047 bits", "refused")
    bad("key", "rsa-8193-bits", rsa_spki(1 << 8192 | 1, 65537), "RSA key of 8193 bits", "refused")
    bad("key", "rsa-65536-bits", rsa_spki(1 << 65535 | 1, 65537), "RSA key of 65536 bits", "refused")
    bad("key", "rsa-huge-exponent", rsa_spki(n, 1 << 256 | 1), "exponent of 257 bits", "refused")
    bad("key", "rsa-exponent-1", rsa_spki(n, 1), "even or 1")
    bad("key", "rsa-exponent-0", rsa_spki(n, 0), "even or 1")
    bad("key", "rsa-exponent-even", rsa_spki(n, 65536), "even or 1")
    bad("key", "rsa-exponent-65535", rsa_spki(n, 65535), "under 65537", "refused")
    bad("key", "rsa-modulus-even", rsa_spki(n - 1, 65537), "modulus is even")
    bad("key", "rsa-modulus-negative", rsa_spki(-n, 65537), "negative")
    bad("key", "rsa-modulus-zero", rsa_spki(0, 65537), "modulus is even")
    bad("key", "rsa-no-parameters", rsa_spki(n, 65537, b""), "SubjectPublicKeyInfo")
    bad("key", "ec-explicit-parameters", ec_spki(explicit, point), "not a named curve")
    bad("key", "ec-off-curve", ec_spki(p256, off), "not on its curve")
    bad("key", "ec-infinity", ec_spki(p256, b"\0"), "EC point of 1 bytes")
    bad("key", "ec-coordinate-over-p", ec_spki(p256, b"\x04" + b"\xff" * 64), "not on its curve")
    bad("key", "ec-p521", spki_of(ec.generate_private_key(ec.SECP521R1())), "neither P-256 nor P-384")
    bad("key", "ed25519", spki_of(ed25519.Ed25519PrivateKey.generate()), "neither an RSA nor an EC key")
    bad("key", "unused-bits", seq(seq(oid("1.2.840.10045.2.1"), p256), bits(point, 1)), "whole octets")
    bad("key", "trailing-byte", rsa_spki(n, 65537) + b"\0", "behind the end")


# --- Certificates ------------------------------------------------------------


def cert(*extensions, version=2, serial=integer(17), inner=ECDSA_SHA256, times=None, subject=NAME, more=b"",
         issuer=NAME, spki=None, sign_as=bits):
    times = times or seq(tlv(0x17, b"260101000000Z"), tlv(0x18, b"20990101000000Z"))
    if isinstance(version, int):
        version = tlv(0xA0, integer(version)) if version else b""
    tbs = seq(version, serial, inner, issuer, times, subject, spki or spki_of(P256),
              tlv(0xA3, seq(*extensions)) if extensions else b"", more)
    return seq(tbs, ECDSA_SHA256, sign_as(sign(tbs, P256)))


def certificates():
    usage = extension("2.5.29.15", bits(b"\x80", 7), True)
    good("cert", "plain", cert(usage))
    good("cert", "v1", cert(version=0))
    good("cert", "serial-of-33-octets", cert(serial=integer(1 << 255)))
    good("cert", "unknown-critical", cert(extension("1.2.3.4", NULL, True)))
    bad("cert", "extensions-in-v1", cert(usage, version=0), "not v3")
    bad("cert", "version-4", cert(usage, version=3), "version is none of")
    bad("cert", "extension-doubled", cert(usage, usage), "repeats an earlier one")
    bad("cert", "algorithms-differ", cert(usage, inner=RSA_SHA256), "signature algorithm differ")
    bad("cert", "serial-negative", cert(serial=integer(-5)), "negative")
    bad("cert", "serial-huge", cert(serial=integer(1 << 600)), "serialNumber of 76 octets")
    bad("cert", "time-without-seconds", cert(times=seq(tlv(0x17, b"2601010000Z"), tlv(0x17, b"270101000000Z"))),
        "a time is not")
    bad("cert", "time-with-offset", cert(times=seq(tlv(0x17, b"260101000000+0100"), tlv(0x17, b"270101000000Z"))),
        "a time is not")
    bad("cert", "february-30", cert(times=seq(tlv(0x17, b"260230000000Z"), tlv(0x17, b"270101000000Z"))),
        "does not exist")
    bad("cert", "three-times", cert(times=seq(tlv(0x17, b"260101000000Z") * 3)), "more than two times")
    bad("cert", "key-usage-empty", cert(extension("2.5.29.15", bits(b"\0", 7))), "no bit is set")
    bad("cert", "eku-empty", cert(extension("2.5.29.37", seq())), "no purpose in it")
    bad("cert", "eku-trailing", cert(extension("2.5.29.37", seq(oid("1.2.3")) + b"\0")), "behind the end")
    bad("cert", "path-length-without-ca", cert(extension("2.5.29.19", seq(integer(1)))), "pathLenConstraint")
    bad("cert", "path-length-negative", cert(extension("2.5.29.19", seq(TRUE, integer(-1)))), "negative")
    bad("cert", "authority-key-id-malformed", cert(extension("2.5.29.35", seq(integer(1)))), "authorityKeyIdentifier")
    bad("cert", "subject-key-id-empty", cert(extension("2.5.29.14", octets(b""))), "empty key identifier")
    bad("cert", "san-nul", cert(extension("2.5.29.17", seq(tlv(0x86, b"urn:\0")))), "byte 0x00 in a name")
    bad("cert", "subject-no-name", cert(subject=seq(integer(1))), "Name")
    bad("cert", "something-behind-extensions", cert(usage, more=NULL), "Certificate")
    bad("cert", "trailing-byte", cert(usage) + b"\0", "behind the end")
    bad("cert", "long-form-length", b"\x30\x83\x00" + cert(usage)[2:], "more octets than it needs")
    bad("cert", "nested-deep", b"\x30\x80" * 3, "indefinite length")

    odd = extension("1.2.3.4", NULL)
    ids = tlv(0x81, b"\0\1"), tlv(0x82, b"\7\x80")
    good("cert", "v1-written-out", cert(version=tlv(0xA0, integer(0))))
    good("cert", "serial-zero", cert(usage, serial=integer(0)))
    good("cert", "unique-ids", cert(more=ids[0] + ids[1] + tlv(0xA3, seq(usage))))
    good("cert", "no-extension-in-extensions", cert(more=tlv(0xA3, seq())))
    good("cert", "critical-written-out", cert(seq(oid("1.2.3.4"), b"\x01\x01\0", octets(NULL)),
                                              seq(oid("1.2.3.5"), b"\x01\x01\x01", octets(NULL))))
    good("cert", "extension-not-der-inside", cert(usage, extension("1.2.3.4", b"\x30\x80\0\0"),
                                                  extension("1.2.3.5", b"\x04\x84\xff\xff\xff\xff")))
    bad("cert", "signature-trailing", with_end(cert(usage), NULL), "2 bytes behind the signature")
    bad("cert", "signature-octet-string", cert(usage, sign_as=octets), "DER: tag 0x04, want 0x03")
    bad("cert", "signature-unused-bits", cert(usage, sign_as=lambda s: bits(s, 1)), "not whole octets")
    bad("cert", "signature-missing", cert(usage, sign_as=lambda s: b""), "missing or truncated")
    bad("cert", "version-trailing", cert(usage, version=tlv(0xA0, integer(2), NULL)), "2 bytes behind the end")
    bad("cert", "version-empty", cert(usage, version=tlv(0xA0)), "missing or truncated")
    bad("cert", "version-primitive", cert(usage, version=tlv(0x80, b"\2")), "DER: tag 0x80, want 0x02")
    bad("cert", "version-negative", cert(usage, version=tlv(0xA0, integer(-1))), "negative")
    bad("cert", "serial-octet-string", cert(usage, serial=octets(b"\x11")), "DER: tag 0x04, want 0x02")
    bad("cert", "serial-empty", cert(usage, serial=tlv(2)), "without octets")
    bad("cert", "serial-padded", cert(usage, serial=tlv(2, b"\0\x11")), "superfluous octet")
    bad("cert", "algorithm-bare", cert(usage, inner=oid("1.2.840.10045.4.3.2")), "signature: DER: tag 0x06, want 0x30")
    bad("cert", "issuer-set", cert(usage, issuer=set_of()), "issuer: DER: tag 0x31, want 0x30")
    bad("cert", "subject-set", cert(usage, subject=set_of()), "subject: DER: tag 0x31, want 0x30")
    bad("cert", "validity-set", cert(usage, times=set_of()), "DER: tag 0x31, want 0x30")
    bad("cert", "one-time", cert(usage, times=seq(tlv(0x17, b"260101000000Z"))), "missing or truncated")
    bad("cert", "key-octet-string", cert(usage, spki=octets(b"")), "subjectPublicKeyInfo: DER: tag 0x04, want 0x30")
    bad("cert", "unique-ids-turned-round", cert(more=ids[1] + ids[0]), "out of order")
    bad("cert", "unique-id-twice", cert(more=ids[0] * 2), "out of order")
    bad("cert", "unique-id-empty", cert(more=tlv(0x81)), "a BIT STRING or its unused bits of 0 octets")
    bad("cert", "unique-id-constructed", cert(more=tlv(0xA1, bits(b"\1"))), "out of order")
    bad("cert", "extensions-twice", cert(usage, more=tlv(0xA3, seq(odd))), "behind its fields")
    bad("cert", "extensions-primitive", cert(more=tlv(0x83, seq(odd))), "behind its fields")
    bad("cert", "extensions-set", cert(more=tlv(0xA3, set_of(odd))), "DER: tag 0x31, want 0x30")
    bad("cert", "extensions-trailing", cert(more=tlv(0xA3, seq(odd), NULL)), "2 bytes behind the end")
    bad("cert", "extension-trailing", cert(with_end(odd, NULL)), "2 bytes behind extnValue")
    bad("cert", "extension-null", cert(NULL), "extension 1 (RFC 5280 s4.2): DER: tag 0x05, want 0x30")
    bad("cert", "extension-without-value", cert(seq(oid("1.2.3.4"))), "missing or truncated")
    bad("cert", "extension-value-bare", cert(seq(oid("1.2.3.4"), NULL)), "DER: tag 0x05, want 0x04")
    bad("cert", "extension-oid-cut", cert(seq(tlv(6, b"\x2a\x83"), octets(NULL))), "empty or cut")
    bad("cert", "extension-critical-two-octets", cert(seq(oid("1.2.3.4"), tlv(1, b"\xff\xff"), octets(NULL))),
        "critical is no BOOLEAN")
    bad("cert", "unknown-extension-doubled", cert(odd, usage, odd), "extension 3 repeats an earlier one")
    bad("cert", "65-extensions", cert(*[extension(f"1.2.3.{n}", NULL) for n in range(65)]), "more than 64 extensions")


if __name__ == "__main__":
    requests()
    keys()
    certificates()
    head = ["# made by vectors.py: file, what it is, how reading it ends, what the error text (csr, good: the password) holds"]
    pathlib.Path("vectors.tsv").write_text("\n".join(head + ROWS) + "\n")
