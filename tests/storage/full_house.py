"""A store with a row of every kind: what an export, and each later release, must be able to read."""

from tests.storage.store_house import KEY, House, inbound, opened, said

from greenroom.actors.facts import (
    DecisionStored,
    DeliveryMoved,
    DeliveryOpened,
    InboundRefused,
    InboundTaken,
    MessageAppended,
    QuestionAsked,
    ToolEnded,
    ToolStarted,
)
from greenroom.actors.model import (
    Attachment,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Generation,
    InboxId,
    Message,
    Question,
    Role,
    Seq,
    SessionId,
    SessionKey,
    ToolCall,
    ToolPolicy,
)
from greenroom.actors.pairing import Pairing
from greenroom.actors.pairing_facts import CodeOffered
from greenroom.actors.process import SHELL, Order, ProcessId
from greenroom.actors.process_facts import ProcessPlanned

S, G = SessionId(1), Generation(1)
CALL = ToolCall("c1", "weather", '{"city":"Oslo"}', ToolPolicy.ONCE)
WORDS = "wie geht's? \N{UMBRELLA}\nline two"


def fill(house: House) -> House:
    """Put a row of every kind into session 1, begin a second one, and let a stranger knock."""
    epoch = house.store.epoch
    answer = Delivery("d1", S, KEY, DeliveryKind.ANSWER, "text", DeliveryState.PENDING, created_at=6.0)
    dead = Delivery("d1", S, KEY, DeliveryKind.ANSWER, "text", DeliveryState.DEAD, ("m1",))
    calling = Message(
        Seq(2), G, "k2", Role.ASSISTANT, "", 3.0, tool_calls=(CALL,), attachments=(Attachment("http://x/y"),)
    )
    house.write(inbound(1), opened(epoch), InboundTaken(S, InboxId(1), G, Seq(1)))
    house.write(
        said(epoch, 1, WORDS),
        MessageAppended(S, epoch, calling),
        ToolStarted(S, epoch, G, G, CALL, 3.0),
        ToolEnded(S, G, "c1", "rain", failed=False, at=4.0),
        QuestionAsked(S, epoch, G, G, Question("q1", "Sure?", ("yes", "no"), timeout_s=60.0, delivery="d1"), 5.0),
        ProcessPlanned(S, epoch, G, Order(ProcessId("p1"), (*SHELL, "sleep 1")), 5.0),
        DeliveryOpened(epoch, G, answer),
        DeliveryMoved(dead, 7.0, "gone"),
        DecisionStored(S, epoch, G, "row 15", "RESUME", '{"reason":"x"}', 8.0),
    )
    house.write(inbound(1, chat="2"), InboundRefused(SessionKey("web", "bot", "9"), 1.0, 1))
    house.write(CodeOffered(Pairing(SessionKey("web", "bot", "9"), 1.0, 2.0, "the-salt", "the-hash")))
    return house
