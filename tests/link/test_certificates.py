"""Our reader of certificates against the `cryptography` package, over seeded certificates."""

import random
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding

from agent.link.trust import Trust
from agent.link.x509 import X509Error, blocks, validity
from tests.link.pki import CA, EPOCH_2020

SEED = 20261122


def test_dates_are_read_as_by_the_cryptography_package():
    drawn = random.Random(SEED)
    ca = CA(datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    for n in range(300):
        begins = datetime(1970, 1, 2, tzinfo=UTC) + timedelta(seconds=drawn.randrange(5 * 10**9))
        ends = begins + timedelta(seconds=drawn.randrange(3 * 10**9))
        name = "x" * drawn.randrange(1, 60)  # lengths of one and of two bytes before the dates
        one = ca.server(name, begins, ends) if n % 2 else ca.device(name, begins, ends)
        found = validity(one.certificate.public_bytes(Encoding.DER))
        expected = (one.certificate.not_valid_before_utc, one.certificate.not_valid_after_utc)
        assert found == tuple(int((moment - EPOCH_2020).total_seconds()) for moment in expected)


def test_pem_as_the_cryptography_package_writes_it():
    ca = CA(EPOCH_2020, EPOCH_2020 + timedelta(days=9000))
    own = ca.device("buoy-1")
    assert blocks(own.cert, "CERTIFICATE") == [own.certificate.public_bytes(Encoding.DER)]
    trust = Trust({"ca": ca.cert, "cert": own.cert + ca.cert, "key": own.key})
    assert (len(trust.ca), len(trust.certificates), len(trust.key or b"")) == (1, 2, 138)


def test_damaged_certificates_are_malformed_or_have_dates():
    drawn = random.Random(SEED)
    ca = CA(EPOCH_2020, EPOCH_2020 + timedelta(days=9000))
    whole = ca.certificate.public_bytes(Encoding.DER)
    malformed = 0
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(drawn.randrange(1, 4)):
            data[drawn.randrange(200)] = drawn.randrange(256)
        try:
            begins, ends = validity(bytes(data[: drawn.randrange(len(data))]))
        except X509Error as error:
            assert error.code == "malformed"
            malformed += 1
        else:
            assert isinstance(begins, int)
            assert isinstance(ends, int)
    assert 100 < malformed < 3000
