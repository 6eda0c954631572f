"""Members that are out of the ordinary: files inside objects, names within themselves, cards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import NO_DATE
from soapstone.wire.contract import Contract
from soapstone.wire.faults import Fault

if TYPE_CHECKING:
    from tests.contracts.conftest import Driver, Recorder

pytestmark = pytest.mark.parametrize("name", ["magnetmail"], scope="module")

ROWS = "ann@example.org,Ann &amp; Bob,ü\n"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("rows", [0, 1, 200_000])
def test_mm_62_a_file_inside_an_object_is_spooled(driver: Driver, recorder: Recorder, version: str, rows: int) -> None:
    settings = "<Settings><GroupId>5</GroupId><AddReplace>REPLACE</AddReplace></Settings>"
    job = f"<Job><UserId>ACME</UserId><CsvData>{ROWS * rows}</CsvData>{settings}</Job>"
    recorder.answer = t.UploadInitialJob(InitialQueueId=7, UserId="ACME", LoginId=1, CsvData=None, Settings=None)
    reply = driver.call("UploadListInitialQueue", job, version=version)
    assert reply.status == 200
    assert b"<InitialQueueId>7</InitialQueueId><UserId>ACME</UserId><LoginId>1</LoginId></Upload" in reply.content
    read = recorder.request.Job
    assert read.CsvData.content == ROWS.replace("&amp;", "&").encode() * rows
    assert (read.UserId, read.Settings.GroupId, read.Settings.AddReplace) == ("ACME", 5, t.UploadGroupOption.REPLACE)
    assert read.Settings.ColumnMappings is None


@pytest.mark.parametrize("csv", ["", '<CsvData x:nil="true" xmlns:x="http://www.w3.org/2001/XMLSchema-instance" />'])
def test_an_object_may_come_without_its_file(driver: Driver, recorder: Recorder, csv: str) -> None:
    assert driver.call("UploadListInitialQueue", f"<Job>{csv}<LoginId>3</LoginId></Job>").status == 200
    assert (recorder.request.Job.CsvData, recorder.request.Job.LoginId) == (None, 3)


def test_a_refused_call_leaves_no_file(
    contract: Contract, recorder: Recorder, make_driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise Fault("[Denied]")

    def new_upload() -> Any:
        raise AssertionError("a refused call keeps nothing")

    monkeypatch.setattr(recorder, "authorise", refuse)
    driver = make_driver(contract, recorder, new_upload)
    reply = driver.call("UploadListInitialQueue", f"<Job><CsvData>{ROWS * 200_000}</CsvData></Job>")
    assert (reply.status, b"[Denied]" in reply.content) == (500, True)


def test_mm_128_a_list_of_its_own_name(driver: Driver, recorder: Recorder) -> None:
    items = "".join(f"<QuestionItem><QuestionItemData>{each}</QuestionItemData></QuestionItem>" for each in "ab")
    people = f"<Registrant><FirstName>Ann</FirstName><QuestionItem>{items}</QuestionItem></Registrant>"
    assert driver.call("CreateEventSignUp", f"<SignUp><Registrants>{people}</Registrants></SignUp>").status == 200
    (registrant,) = recorder.request.SignUp.Registrants
    assert [item.QuestionItemData for item in registrant.QuestionItem] == ["a", "b"]
    assert registrant.FirstName == "Ann"


def test_objects_that_are_always_there_may_be_left_out(driver: Driver, recorder: Recorder) -> None:
    """And mm-7: an array of numbers may come as a repeated element."""
    recorder.answer = t.EmailToGroupResult(email_job_ids=[901, 902], error=0, errorObj=None, fax_job_ids=[], msg="")
    reply = driver.call("sendMessageToGroup", "<group_ids>1</group_ids><group_ids>2</group_ids>")
    assert b'<anyType xsi:type="xsd:int">901</anyType>' in reply.content
    assert b"<fax_job_ids />" in reply.content
    read = recorder.request
    assert read.group_ids == [1, 2]
    assert (read.Newsletter.newsletter_archive, read.job_notification.send_notification_when) == (False, 0)
    assert (read.send_type, read.rssPublishType) == (t.sendType.EmailOnly, t.rssType.noRSS)


def test_inherited_members_come_first(driver: Driver, recorder: Recorder) -> None:
    recorder.answer = t.MessageSentTrackingResults(
        Count=1,
        data=[
            t.MessageSentTrackingData(
                UserId="ACME",
                MessageId=2,
                RecipientId=2**40,
                Date=NO_DATE,
                Type=t.MessageTrackingReportType.Sent,
                Status=t.MessageSentStatus.BadDomain,
            )
        ],
    )
    criteria = "<ReportType>Opened</ReportType><PageSize>3</PageSize>"
    reply = driver.call("GetMessageSentTracking", f"<criteria>{criteria}</criteria>")
    assert (
        "<Count>1</Count><data><MessageSentTrackingData><UserId>ACME</UserId><MessageId>2</MessageId>"
        "<RecipientId>1099511627776</RecipientId><Date>0001-01-01T00:00:00</Date><Type>Sent</Type>"
        "<Status>BadDomain</Status></MessageSentTrackingData></data>"
    ) in reply.content.decode()
    assert (recorder.request.criteria.PageSize, recorder.request.criteria.ReportType) == (3, "Opened")


def test_cards_stay_out_of_logs(contract: Contract, driver: Driver, recorder: Recorder) -> None:
    card = "<CreditCardInfo><CardNumber>4111</CardNumber><CardName>Ann</CardName></CreditCardInfo>"
    driver.call("CreateEventSignUp", f"<SignUp><PaymentInfo>{card}<Mode>live</Mode></PaymentInfo></SignUp>")
    payment = recorder.request.SignUp.PaymentInfo
    assert payment.CreditCardInfo.CardNumber == "4111"
    shown = [repr(each) for each in (recorder.request, payment, payment.CreditCardInfo)]
    assert ["4111" in text or "Ann" in text for text in shown] == [False] * 3
