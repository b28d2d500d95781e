from pathlib import Path
from queue import SimpleQueue

from greenroom.actors.delivery_actor import DeliveryActor
from greenroom.actors.facts import DeliveryOpened, InboundStored
from greenroom.actors.model import (
    Delivery,
    DeliveryClass,
    DeliveryKind,
    DeliveryState,
    Generation,
    Inbound,
    SessionKey,
)
from greenroom.actors.outbox_words import Filled, WhenFlushed
from greenroom.actors.pool import PoolRuntime
from greenroom.actors.store import Committed, Refused
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import FakePlatform
from greenroom.storage.store import SqliteStore
from greenroom.storage.writer import Place


def test_it_works_on_real_threads_too(pool: PoolRuntime, tmp_path: Path) -> None:
    store = SqliteStore.open(Place(str(tmp_path / "bot.db")), pool, version="test")
    server = FakeChatServer(native_keys=True)
    actor = pool.start(DeliveryActor, store, FakePlatform(server, DeliveryClass.NATIVE_KEY))
    committed: SimpleQueue[Committed | Refused] = SimpleQueue()
    flushed: SimpleQueue[None] = SimpleQueue()

    for number in range(50):
        chat = SessionKey("fake", "bot", f"chat-{number}")
        store.write([InboundStored(Inbound(chat, f"hello-{number}", "hello"), 1.0)], committed.put)
        answer = committed.get(timeout=20)
        assert isinstance(answer, Committed)
        session_id = answer.receipts[0].session_id
        row = Delivery(f"a-{number}", session_id, chat, DeliveryKind.ANSWER, "Hello", DeliveryState.PENDING)
        store.write([DeliveryOpened(store.epoch, Generation(0), row)], committed.put)
        assert isinstance(committed.get(timeout=20), Committed)
        actor.tell(Filled(row))
    actor.tell(WhenFlushed(lambda: flushed.put(None)))
    flushed.get(timeout=20)
    actor.stop(timeout=20)

    assert store.close("the end")
    assert all(server.texts(SessionKey("fake", "bot", f"chat-{number}")) == ["Hello"] for number in range(50))
