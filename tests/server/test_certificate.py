"""Laws of reading a certificate: what cannot shake hands is refused, and says which file is why."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fakes.certificates import Authority, Files, Pair
from gogate_trio.config import TlsSettings
from gogate_trio.errors import OperatorError
from gogate_trio.server.certificate import read_certificate

DAY = dt.timedelta(days=1)


@pytest.fixture
def files(tmp_path):
    """Where the certificate and the key are looked for."""
    return Files(tmp_path)


def refused(settings):
    """What is said about files that cannot be used."""
    with pytest.raises(OperatorError) as caught:
        read_certificate(settings)
    return str(caught.value)


def self_signed(key, *, usage=None):
    """A certificate nobody but its owner has signed, good for 40 days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 40 * DAY)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    chain = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return Pair(chain, pem_of(key))


def pem_of(key, encryption=None, *, form=serialization.PrivateFormat.PKCS8):
    """A key as PEM."""
    encryption = encryption or serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


def test_a_good_pair_tells_when_it_ends(files):
    """The date is the certificate's own, and there is nothing to complain of."""
    files.write(Authority().issue(begin=2020, end=2090))

    read = read_certificate(files.settings)

    assert dt.datetime.fromtimestamp(read.expires_at, dt.UTC).year == 2090
    assert read.complaint == ""


def test_a_self_signed_pair_is_good(files):
    """Whether clients trust it is theirs to say."""
    files.write(self_signed(ec.generate_private_key(ec.SECP256R1())))

    assert read_certificate(files.settings).complaint == ""


@pytest.mark.parametrize(
    ("years", "complaint"),
    [
        ({"begin": 2019, "end": 2020}, "it has expired"),
        ({"begin": 2090, "end": 2091}, "it is not valid yet"),
    ],
)
def test_a_pair_out_of_its_time_is_used_and_complained_of(files, years, complaint):
    """A wrong clock must not keep the gateway from starting."""
    files.write(Authority().issue(**years))

    read = read_certificate(files.settings)

    assert (read.complaint, read.expires_at) == (complaint, None)


def test_a_certificate_for_clients_is_complained_of(files):
    """One that was issued for another purpose is refused by every browser."""
    key = ec.generate_private_key(ec.SECP256R1())
    files.write(self_signed(key, usage=ExtendedKeyUsageOID.CLIENT_AUTH))

    assert "purpose" in read_certificate(files.settings).complaint


def test_a_key_of_another_certificate_is_told(files):
    """The mistake of every second renewal has a sentence of its own."""
    authority = Authority()
    files.write(authority.issue())
    files.write_key(authority.issue().key)

    assert refused(files.settings) == "TLS_KEY is not the key of TLS_CERT"


def test_each_missing_file_is_told_by_its_variable(files):
    """Which of the two is not there, and what the system says."""
    assert refused(files.settings) == "TLS_CERT: cannot be read: No such file or directory"

    files.write_chain(Authority().issue().chain)

    assert refused(files.settings) == "TLS_KEY: cannot be read: No such file or directory"


def test_files_the_wrong_way_round_are_told(files):
    """A key where the certificate should be is named as such."""
    files.write(Authority().issue())
    swapped = TlsSettings(cert=files.settings.key, key=files.settings.cert)

    assert refused(swapped) == "TLS_CERT: the file holds no certificate in PEM form"


def test_a_certificate_in_place_of_the_key_is_told(files):
    """Both variables with one file."""
    files.write(Authority().issue())
    twice = TlsSettings(cert=files.settings.cert, key=files.settings.cert)

    assert refused(twice) == "TLS_KEY: the file holds no private key in PEM form"


def test_a_folder_is_no_certificate(files):
    """Neither a folder nor a pipe is opened."""
    settings = TlsSettings(cert=str(files.folder), key=files.settings.key)

    assert refused(settings) == "TLS_CERT: names no regular file"


@pytest.mark.parametrize("part", ["chain", "key"])
def test_half_a_file_is_refused(files, part):
    """What a tool has only begun to write is not served."""
    pair = Authority().issue()
    files.write(pair)
    if part == "chain":
        files.write_chain(pair.chain[:300])
    else:
        files.write_key(pair.key[:100])

    assert "damaged or cut short" in refused(files.settings)


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_an_encrypted_key_is_refused_and_nobody_is_asked(files, form):
    """OpenSSL would wait at the terminal for a passphrase."""
    pair = Authority().issue()
    key = serialization.load_pem_private_key(pair.key, None)
    encryption = serialization.BestAvailableEncryption(b"secret")
    form = getattr(serialization.PrivateFormat, form)
    files.write(Pair(pair.chain, pem_of(key, encryption, form=form)))

    assert "is encrypted" in refused(files.settings)


def test_a_weak_key_is_refused(files):
    """No client of today would accept it."""
    files.write(self_signed(rsa.generate_private_key(65537, 1024)))

    assert "key too small" in refused(files.settings)


def test_nothing_of_a_key_is_in_a_refusal_or_a_repr(files):
    """What goes wrong is said without what it went wrong with."""
    pair = Authority().issue()
    files.write(pair)
    shown = repr(read_certificate(files.settings))
    files.write_key(pair.key[:-40] + b"x")
    shown += refused(files.settings)

    assert not any(line in shown for line in pair.key.decode().splitlines())
