"""Who a resume speaks as, to whom and about what: identity, notes and anchors. S024 to S030, S055, S057."""

from tests.scenarios.stage import HOUR_S, interrupt, listened, said, shown

from greenroom.supervisor.sandbox.scenario import Attachment, DeliveryClass, Policy, Scenario, SessionKey


def test_s024_the_users_next_message_goes_to_the_same_session_and_reading_clears_nothing() -> None:
    """S024. Nor does a policy begin it anew whose time is over: what is open goes on first."""
    with Scenario(policy=Policy(auto_resume=frozenset(), reset="idle", reset_after_s=60.0)) as room:
        interrupt(room)
        for _ in range(2):
            room.stays_down(600)
            room.boot()
            room.rest()
            assert room.runs()[-1].open
            room.crash()
        room.boot()
        room.says("m2 answer")
        room.rest()
        assert len(room.rows("SELECT * FROM sessions WHERE key = ?", str(room.chat()))) == 1
        assert room.visible() == ["answer <m1> <m2>"]


def test_s025_a_conversation_that_outgrew_its_window_is_resumed_as_itself() -> None:
    """S025. There is no compressed child here: the agent's window moves over one transcript, the session stays."""
    room, agent = listened(policy=Policy(transcript_window=3))
    with room:
        for n in range(1, 6):
            room.says(f"m{n} answer")
            room.rest()
        interrupt(room, "m6 nap answer")
        room.boot()
        room.rest()
        assert room.visible()[-1] == "answer <m6>"
        assert len(agent.heard[-1].rows) == 3
        assert len({row.session_id for row in room.runs()}) == 1
        assert len(room.transcript()) == 13


def test_s026_a_fresh_run_on_an_old_transcript_is_told_that_it_was_interrupted() -> None:
    """S026."""
    room, agent = listened(policy=Policy(auto_resume=frozenset()))
    with room:
        room.says("m1 " + "progress doze " * 200 + "answer")
        room.advance(4 * HOUR_S)
        room.crash()
        room.boot()
        room.says("m2 answer")
        room.advance(1)
        assert "ended without warning" in (agent.heard[-1].note or "")


def test_s027_the_model_never_gets_a_blank_user_turn() -> None:
    """S027."""
    room, agent = listened()
    with room:
        interrupt(room)
        room.boot()
        room.rest()
        assert [heard.text for heard in agent.heard] == ["m1 nap answer"] * 2
        assert all(text.strip() for heard in agent.heard for _, text in heard.rows)


def test_s028_an_image_without_a_caption_is_untouched() -> None:
    """S028."""
    room, agent = listened()
    photo = Attachment("/var/spool/photo.png", "image/png", 1_234, "photo")
    with room:
        room.says("", attachments=[photo])
        room.rest()
        assert [(heard.text, heard.note) for heard in agent.heard] == [("", None)]
        assert agent.heard[0].attached == (photo,)
        assert room.visible() == ["answer <photo>"]


def test_s028_an_image_is_given_again_to_the_attempt_that_goes_on_after_a_crash() -> None:
    """S028. A neighbour: it is of the message, and the message is on disk."""
    room, agent = listened()
    with room:
        room.says("m1 nap answer", attachments=[Attachment("https://files.example/1", "image/png")])
        room.advance(1)
        room.restart()
        room.rest()
        assert len(agent.heard) == 2
        assert agent.heard[0].attached == agent.heard[1].attached != ()


def test_s029_a_webhook_session_goes_on_with_its_task() -> None:
    """S029."""
    room, agent = listened(platforms=[DeliveryClass.NONE])
    with room:
        interrupt(room)
        room.boot()
        room.rest()
        assert "Go on with the work" in (agent.heard[-1].note or "")
        assert room.visible() == ["answer <m1>"]


def test_s030_the_stored_words_of_the_user_are_only_the_users() -> None:
    """S030. The note is a typed row of the system: part of the transcript, and never the user's words."""
    with Scenario(policy=Policy(auto_resume=frozenset())) as room:
        interrupt(room)
        room.boot()
        room.says("m2 answer")
        room.rest()
        assert said(room) == ["m1 nap answer", "m2 answer"]
        assert [row.role for row in room.transcript() if row.kind == "recovery_note"] == ["system"]


def test_s055_a_resume_answers_in_the_same_topic_and_to_the_same_message() -> None:
    """S055."""
    topic = SessionKey("p1", "bot", "chat1", "7")
    with Scenario() as room:
        update = room.says("m1 nap answer", topic)
        room.advance(0.5)
        room.crash()
        room.boot()
        room.rest()
        (message,) = room.messages(topic)
        assert message.text == "answer <m1>"
        assert message.reply_to == update
        assert room.visible() == []


def test_s057_the_person_is_told_that_it_was_interrupted_and_goes_on() -> None:
    """S057."""
    with Scenario() as room:
        interrupt(room)
        room.boot()
        room.rest()
        notices = [text for text in shown(room) if "I was restarted; I am going on" in text]
        assert len(notices) == 1
        assert room.visible() == ["answer <m1>"]
