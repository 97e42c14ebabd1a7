"""A provider that is asked what became of a text may be silent again: that is no answer."""

from collections.abc import Callable, Sequence

import pytest

from channels.base import Envelope, Handover
from channels.errors import Retry, SendError
from channels.outbox import OutboxTexts
from gateway.directory.model import ChannelName
from gateway.dispatch.finding_out import Inquiry
from gateway.dispatch.providers import Provider, ProviderChoice
from gateway.dispatch.recording import Recorder
from tests.flow.families import MUM_NUMBER, parents
from tests.flow.installation import SILENCE, Installation
from tests.unit.rules.households import directory, mobile

NOT_ASKED = SendError(retry=Retry.UNKNOWN, code="no_answer", explanation="The provider did not answer.")

LookUp = Callable[[Envelope], Handover]


def says_nothing(envelope: Envelope) -> Handover:
    """Answer as an adapter whose provider does not."""
    return Handover(delivery=envelope.delivery, provider="outbox", error=NOT_ASKED)


def breaks(_envelope: Envelope) -> Handover:
    """Fail as an adapter should not."""
    raise RuntimeError


class SilentTexts(OutboxTexts):
    """A provider that cannot be asked."""

    look: LookUp

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Answer as told."""
        return [self.look(envelope) for envelope in envelopes]


@pytest.mark.parametrize("look", [says_nothing, breaks])
@pytest.mark.parametrize(("late", "tasks"), [(False, []), (True, ["settle_unknown"])], ids=["in time", "too late"])
async def test_silence_upon_silence_is_not_taken_for_a_text_that_has_left(
    idle: Installation,
    look: LookUp,
    late: bool,  # noqa: FBT001  # a table's column
    tasks: list[str],
) -> None:
    """It stays unknown and is asked about again; when its time is out, it is somebody's task."""
    await idle.put(directory(relationships=parents("mum"), contact_points=[mobile("mum", MUM_NUMBER)]))
    idle.faults.once(MUM_NUMBER, SILENCE)
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    (row,) = await idle.deliveries(notification)
    assert row.state == "unknown"
    if late:
        idle.time.now = row.expires_at
    texts = SilentTexts(idle.outbox.folder, now=idle.time)
    texts.look = look  # type: ignore[method-assign]  # a plain function, given no instance
    back = idle.back
    only = {ChannelName.SMS: [Provider(key="sms/outbox", channel=texts)]}
    choice = ProviderChoice(only, back.services.gate, now=idle.time, chance=lambda: 0.5)
    inquiry = Inquiry(back.database, choice, back.services.renderer, Recorder(), now=idle.time)
    await inquiry.settle([row])
    assert await idle.states(notification) == {"mum-m": "unknown"}
    assert [task.kind for task in await idle.tasks()] == tasks
