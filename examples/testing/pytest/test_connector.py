"""Tests of the connector against a Soapstone test server, which the plugin of soapstone[testing] starts."""

import pytest
from connector import Connector, UploadFailed

CSV = "Email,First_Name\nann@example.org,Ann\nno address,Nobody\n"


@pytest.fixture
def connector(soapstone):
    return Connector(soapstone.magnetmail_url, "demo", "demo", pause=0)


def test_it_waits_until_the_upload_is_imported(soapstone, connector):
    soapstone.transition(start={"after_polls": 1}, end={"after_polls": 2})
    seen = []
    result = connector.upload(1, CSV, seen.append)
    assert seen == [0, 1, 1, 2]
    assert (result.total_records, result.good_records, result.new_added) == (2, 1, 1)
    soapstone.assert_called("uploadListQueue", times=1, groupid=1, csvData=CSV, header_line=True)
    soapstone.assert_called("getUploadJobStatus", times=4)


def test_it_polls_again_when_the_service_is_unavailable(soapstone, connector):
    soapstone.fault("status_503", "getUploadJobStatus", times=2)
    assert connector.upload(1, CSV).good_records == 1
    soapstone.assert_called("uploadListQueue", times=1)


def test_it_logs_on_again_when_the_session_has_expired(soapstone, connector):
    soapstone.fault("expired_session", "getUploadJobStatus")
    assert connector.upload(1, CSV).good_records == 1
    soapstone.assert_called("Authenticate", times=2, username="demo")


def test_it_reports_an_upload_that_fails(soapstone, connector):
    soapstone.transition(end={"after_polls": 1}, outcome="failed", reason="disk full")
    with pytest.raises(UploadFailed, match="status 3"):
        connector.upload(1, CSV)
