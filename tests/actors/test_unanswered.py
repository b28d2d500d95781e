import pytest

from greenroom.actors.keys import inbox_id_of, user_message_key
from greenroom.actors.model import Generation, InboxId, Message, Question, Role, Seq
from greenroom.actors.unanswered import leave_out_replies


def said(*inbox_ids: int) -> list[Message]:
    return [
        Message(Seq(place), Generation(1), user_message_key(InboxId(number)), Role.USER, f"m{number}", at=0.0)
        for place, number in enumerate(inbox_ids, 1)
    ]


def asked(after: int, answer: str | None = "7") -> Question:
    return Question(f"q{after}", "Which?", answer=answer, after=InboxId(after))


@pytest.mark.parametrize(
    "rows, questions, left",
    [
        ((), (), ()),
        ((3, 4), (), (3, 4)),
        ((3, 5), (asked(3),), (3,)),  # The reply is heard where the agent asks.
        ((3, 5, 6), (asked(3), asked(5)), (3,)),
        ((3, 5, 6), (asked(3), asked(5, answer=None)), (3, 6)),
        ((3, 6, 4), (asked(5),), (3, 4)),  # 4 waited when the question was asked: the reply jumped the queue.
        ((3, 4, 6, 7), (asked(5),), (3, 4, 7)),
        ((3,), (asked(3),), (3,)),  # The reply is covered by what concluded since: nothing else is taken for it.
    ],
)
def test_an_attempt_answers_all_that_is_open_but_for_the_replies_to_its_questions(
    rows: tuple[int, ...], questions: tuple[Question, ...], left: tuple[int, ...]
) -> None:
    kept = leave_out_replies(said(*rows), questions)
    assert [inbox_id_of(message.key) for message in kept] == list(left)
