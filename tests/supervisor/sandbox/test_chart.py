"""A story is drawn: everybody has a lifeline, every line its place, and nothing that is said can break the drawing."""

from xml.etree import ElementTree as ET

from greenroom.supervisor.sandbox.chart import draw, lifelines
from greenroom.supervisor.sandbox.happening import AGENT, PEOPLE, PROCESS, STORE, Happening, Kind
from greenroom.supervisor.sandbox.simulator import simulate

CHAT = "p1:bot:chat1"
STORY = (
    Happening(0.0, PROCESS, "starts", kind=Kind.START),
    Happening(0.5, PEOPLE, "m1 <b>&amp;\x1b[2J ]]>", "p1"),
    Happening(0.5, "p1", "inbound stored", STORE, "inbox u1"),
    Happening(0.5, CHAT, "begins", AGENT),
    Happening(1.0, PROCESS, "killed", kind=Kind.CRASH),
    Happening(61.0, PROCESS, "starts", kind=Kind.START),
    Happening(62.0, PROCESS, "disk: full", kind=Kind.FAULT),
    Happening(63.0, PROCESS, "once_is_once: twice", kind=Kind.BROKEN),
)
SVG = "{http://www.w3.org/2000/svg}"


def of_class(svg: str, name: str, tag: str = "*") -> list[ET.Element]:
    return [
        it for it in ET.fromstring(svg).iter(SVG + tag if tag != "*" else None) if name in it.get("class", "").split()
    ]


def texts(svg: str, name: str) -> list[str]:
    return [it.text or "" for it in of_class(svg, name, "text")]


def test_lifelines_stand_in_order_from_people_to_the_disk() -> None:
    assert lifelines(STORY[::-1]) == [PEOPLE, "p1", CHAT, AGENT, STORE]
    assert texts(draw(STORY, "a story"), "head") == [PEOPLE, "p1", CHAT, AGENT, STORE]


def test_an_arrow_goes_from_who_acts_to_whom_it_is_done_to() -> None:
    svg = draw(STORY, "a story")
    x = {head.text: float(head.get("x", "")) for head in of_class(svg, "head")}
    drawn = [it.get("d", "").replace("M", "").replace("L", "").split() for it in of_class(svg, "arrow")]
    assert [tuple(float(point.split(",")[0]) for point in arrow) for arrow in drawn] == [
        (x[PEOPLE], x["p1"]),
        (x["p1"], x[STORE]),
        (x[CHAT], x[AGENT]),
    ]


def test_each_life_is_a_band_and_a_crash_is_a_red_line_at_its_end() -> None:
    svg = draw(STORY, "a story")
    first, second = of_class(svg, "band", "rect")
    ends_at = float(first.get("y", "")) + float(first.get("height", ""))
    crash, broken = (float(line.get("y1", "")) for line in of_class(svg, "crash"))
    assert float(first.get("y", "")) < crash < ends_at < float(second.get("y", "")) < broken
    assert texts(svg, "number") == ["life 1", "life 2"]


def test_times_stand_at_the_side_once_and_rows_at_the_other() -> None:
    svg = draw(STORY, "a story")
    assert texts(svg, "time") == ["0.00 s", "0.50 s", "1.00 s", "1:01.00", "1:02.00", "1:03.00"]
    assert texts(svg, "row") == ["inbox u1"]


def test_what_people_say_is_text_and_never_markup() -> None:
    svg = draw(STORY, 'a "story" <of> & \x00')
    assert "m1 <b>&amp; [2J ]]>" in "".join(ET.fromstring(svg).itertext())
    assert ET.fromstring(svg).get("aria-label") == 'a "story" <of> &  '
    assert "\x1b" not in svg


def test_what_has_no_room_is_cut_and_whole_in_the_title() -> None:
    words = "word " * 80
    svg = draw((Happening(0.0, CHAT, words, AGENT),), "a story")
    (shown,) = texts(svg, "say")
    assert shown.endswith("…")
    assert any(words.strip() in "".join(it.itertext()) for it in ET.fromstring(svg).iter(f"{SVG}title"))


def test_a_story_without_anything_is_a_chart_too() -> None:
    assert of_class(draw((), "nothing"), "title", "text")[0].text == "nothing"


def test_every_story_can_be_drawn_and_every_line_has_its_time_and_words() -> None:
    for seed in range(8):
        report = simulate(seed, history=True)
        assert len(list(ET.fromstring(draw(report.history, "a seed")).iter(f"{SVG}g"))) == len(report.history)
        assert all(each.what for each in report.history)
