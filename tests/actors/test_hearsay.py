from greenroom.actors.hearsay import Hearsay
from greenroom.actors.model import Delivery, DeliveryKind, DeliveryState, SessionId, SessionKey

ANN, BOB = SessionKey("fake", "bot", "ann"), SessionKey("fake", "bot", "bob")


def row(session: SessionKey, key: str) -> Delivery:
    return Delivery(key, SessionId(1), session, DeliveryKind.ANSWER, "Hello", DeliveryState.PENDING)


A, B, C = row(ANN, "a"), row(BOB, "b"), row(ANN, "c")


def test_what_is_owed_is_found_by_session_and_in_its_order() -> None:
    assert list(Hearsay().found([A, B, C])) == [(ANN, (A, C)), (BOB, (B,))]


def test_a_row_concluded_while_the_store_was_read_is_no_news() -> None:
    hearsay = Hearsay()
    hearsay.begin()
    hearsay.conclude("a")

    assert list(hearsay.found([A, B])) == [(BOB, (B,))]


def test_a_late_word_of_a_row_that_was_found_and_concluded_is_no_news() -> None:
    hearsay = Hearsay()
    list(hearsay.found([A]))
    hearsay.conclude("a")

    assert hearsay.news([A]) == ()


def test_what_nobody_can_speak_of_again_is_not_remembered() -> None:
    hearsay = Hearsay()
    hearsay.conclude("a")

    assert hearsay.news([A]) == (A,)


def test_a_concluded_row_is_remembered_to_the_end_of_the_next_reading_and_no_longer() -> None:
    hearsay = Hearsay()
    list(hearsay.found([A]))
    hearsay.conclude("a")
    hearsay.begin()
    assert list(hearsay.found([A, B])) == [(BOB, (B,))]
    assert hearsay.news([A]) == ()
    hearsay.begin()
    list(hearsay.found([]))
    assert hearsay.news([A]) == (A,)


def test_a_row_that_died_while_it_was_read_is_news_when_it_is_revived() -> None:
    hearsay = Hearsay()
    hearsay.begin()
    hearsay.bury("a")
    assert list(hearsay.found([A])) == []
    hearsay.revive("a")
    assert list(hearsay.found([A])) == [(ANN, (A,))]
