from greenroom.actors.model import SessionKey
from greenroom.actors.traffic import Traffic

ANN, BOB = SessionKey("fake", "bot", "ann"), SessionKey("fake", "bot", "bob")


def test_slots_are_granted_in_the_order_of_asking_up_to_the_limit() -> None:
    traffic = Traffic(in_flight_max=1)
    traffic.queue(ANN)
    traffic.queue(BOB)

    assert (traffic.grant(0.0), traffic.grant(0.0), len(traffic)) == (ANN, None, 1)
    traffic.end()
    assert (traffic.grant(0.0), traffic.in_flight) == (BOB, 1)


def test_a_pause_holds_until_its_end_and_a_shorter_one_does_not_shorten_it() -> None:
    traffic = Traffic(in_flight_max=8)
    traffic.pause(10.0)
    traffic.pause(5.0)
    traffic.queue(ANN)

    assert traffic.grant(9.9) is None
    assert traffic.grant(10.0) == ANN


def test_nothing_is_granted_while_the_platform_is_down() -> None:
    traffic = Traffic(in_flight_max=8)
    traffic.queue(ANN)
    traffic.up = False

    assert traffic.grant(0.0) is None
    traffic.up = True
    assert traffic.grant(0.0) == ANN
