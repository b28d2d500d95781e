"""A Slack workspace in memory: what persons and one app's bot see of it. It outlives the process that talks to it.

The wire to it is `fakes/slack_wire.py`. Timestamps name messages, as in Slack; texts are stored as they were sent, with
`&`, `<` and `>` escaped by whoever wrote them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

BOT_USER, BOT_ID, BOT_NAME = "UBOT", "BBOT", "greenroom"
TEAM = "TFAKE"
UPDATE_TEXT_MAX = 4_000
"""Longest text that `chat.update` takes; longer answers `msg_too_long`, as Slack does."""

POST_TEXT_MAX = 40_000
SECTION_TEXT_MAX = 3_000
BUTTON_TEXT_MAX = 75

Emit = Callable[[str, dict[str, Any]], str]
"""Is told of every event: which kind of envelope it comes in, and its payload. Returns the envelope's id."""


Changed = Callable[["Line"], None]
"""Is told of every message that is new, or not what it was."""


class SlackRefusal(Exception):
    """The answer `{"ok": false, "error": ...}`."""

    def __init__(self, code: str) -> None:
        """Name the error as Slack does."""
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Line:
    """One message. Belongs to whoever `user` is; the bot's have a `bot_id`, too."""

    channel: str
    ts: str
    user: str
    text: str
    thread_ts: str | None = None
    blocks: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    edited_ts: str | None = None
    deleted: bool = False

    @property
    def mine(self) -> bool:
        """Whether the bot wrote it."""
        return self.user == BOT_USER

    @property
    def buttons(self) -> tuple[dict[str, Any], ...]:
        """The buttons under it, each with its `block_id`."""
        rows = (block for block in self.blocks if block.get("type") == "actions")
        return tuple({**button, "block_id": row["block_id"]} for row in rows for button in row["elements"])

    def as_json(self, *, metadata: bool = False) -> dict[str, Any]:
        """Write it as the Web API and events do."""
        said: dict[str, Any] = {"type": "message", "user": self.user, "text": self.text, "ts": self.ts}
        said |= {"thread_ts": self.thread_ts} if self.thread_ts else {}
        said |= {"bot_id": BOT_ID} if self.mine else {}
        said |= {"blocks": self.blocks} if self.blocks else {}
        said |= {"files": self.files} if self.files else {}
        said |= {"attachments": self.attachments} if self.attachments else {}
        said |= {"edited": {"user": self.user, "ts": self.edited_ts}} if self.edited_ts else {}
        return said | ({"metadata": self.metadata} if metadata and self.metadata else {})


@dataclass(slots=True)
class Channel:
    """A conversation: `im` (ids begin with D), `channel` (C) or `mpim` (G)."""

    id: str
    kind: str
    refuses: str | None = None  # answers every post and update with this error
    lines: dict[str, Line] = field(default_factory=dict)


class FakeSlack:
    """The workspace. All methods belong to one event loop, or one thread.

    `emit` is told of what Slack would tell the app; `mentions` says whether the app is subscribed to `app_mention`
    beside `message`: then a mention is told twice, under two event ids.
    """

    def __init__(self, *, mentions: bool = True, now: Callable[[], float] = time.time) -> None:
        """Begin with nobody."""
        self.channels: dict[str, Channel] = {}
        self.users: dict[str, str] = {BOT_USER: BOT_NAME}
        self.files: dict[str, bytes] = {}
        self.files_told: dict[str, dict[str, Any]] = {}
        self.emit: Emit = lambda _kind, _payload: ""
        self.changed: Changed = lambda _line: None
        self._mentions, self._now = mentions, now
        self._last_us = 0
        self._numbers = count(1)

    def open_channel(self, channel: str, kind: str = "channel") -> Channel:
        """Find a conversation, or make it."""
        return self.channels.setdefault(channel, Channel(channel, kind))

    def invite(self, user: str, name: str) -> str:
        """Let a person be known by a name."""
        self.users[user] = name
        return user

    # The persons' side

    def say(
        self,
        channel: str,
        text: str,
        *,
        user: str,
        thread: str | None = None,
        files: Sequence[dict[str, Any]] = (),
        attachments: Sequence[dict[str, Any]] = (),
    ) -> str:
        """Somebody writes (also the bot's own user, by another hand). Returns the message's timestamp."""
        line = Line(channel, self._stamp(), user, text, thread, files=list(files), attachments=list(attachments))
        self._add(line)
        self.redeliver(channel, line.ts)
        return line.ts

    def forward(self, channel: str, ts: str, *, to: str, user: str, text: str = "") -> str:
        """Somebody forwards a message, perhaps with words of their own. Returns the new message's timestamp."""
        line = self.channels[channel].lines[ts]
        shared = {
            "is_share": True, "is_msg_unfurl": True, "ts": ts, "channel_id": channel, "author_id": line.user,
            "author_name": self.users.get(line.user, line.user), "text": line.text,
            "fallback": f"[no preview available] {line.text}",
        }  # fmt: skip
        return self.say(to, text, user=user, attachments=[shared | ({"files": line.files} if line.files else {})])

    def redeliver(self, channel: str, ts: str) -> None:
        """Tell of a message again, under event ids of its own."""
        where, line = self.channels[channel], self.channels[channel].lines[ts]
        told = line.as_json() | {"channel": channel, "channel_type": where.kind, "event_ts": ts}
        told |= {"subtype": "file_share"} if line.files else {}
        if line.thread_ts and (root := where.lines.get(line.thread_ts)):
            told["parent_user_id"] = root.user
        self._tell(told)
        if self._mentions and where.kind != "im" and f"<@{BOT_USER}>" in line.text:
            self._tell(
                {key: told[key] for key in told if key not in {"channel_type", "subtype"}} | {"type": "app_mention"}
            )

    def edit(self, channel: str, ts: str, text: str) -> None:
        """Somebody changes a message."""
        line = self.channels[channel].lines[ts]
        before, line.text, line.edited_ts = line.as_json(), text, self._stamp()
        self.changed(line)
        self._tell_changed(channel, {"message": line.as_json(), "previous_message": before}, "message_changed")

    def delete(self, channel: str, ts: str) -> None:
        """Somebody removes a message."""
        line = self.channels[channel].lines[ts]
        line.deleted = True
        self.changed(line)
        self._tell_changed(channel, {"deleted_ts": ts, "previous_message": line.as_json()}, "message_deleted")

    def press(self, channel: str, ts: str, text: str, *, user: str) -> str:
        """Somebody presses the button that says `text`; returns the envelope's id. Raises ValueError without one."""
        line = self.channels[channel].lines[ts]
        pressed = next((each for each in line.buttons if each["text"]["text"] == text), None)
        if pressed is None:
            raise ValueError(f"message {ts} has no button {text!r}")
        action = {key: pressed[key] for key in ("block_id", "action_id", "value", "type", "text")}
        place = {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": False}
        place |= {"thread_ts": line.thread_ts} if line.thread_ts else {}
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": self.users.get(user, user), "team_id": TEAM},
            "container": place,
            "channel": {"id": channel, "name": channel},
            "message": line.as_json(),
            "actions": [action | {"action_ts": self._stamp()}],
        }
        return self.emit("interactive", payload)

    def order(self, channel: str, command: str, text: str = "", *, user: str) -> str:
        """Somebody types a slash command that the app registered; nobody sees it. Returns the envelope's id."""
        where = {"channel_id": channel, "channel_name": channel, "team_id": TEAM, "trigger_id": f"t{self._stamp()}"}
        who = {"user_id": user, "user_name": self.users.get(user, user)}
        return self.emit("slash_commands", {"command": command, "text": text, **where, **who})

    def attach(self, name: str, content: bytes, media_type: str, base_url: str) -> dict[str, Any]:
        """Upload a file; what is returned goes into `say(files=...)`. Only the bot's token opens its address."""
        file_id = f"F{next(self._numbers)}"
        self.files[file_id] = content
        where = f"{base_url}/files/{file_id}"
        self.files_told[file_id] = {
            "id": file_id, "name": name, "mimetype": media_type, "size": len(content), "mode": "hosted",
            "url_private": where, "url_private_download": where,
        }  # fmt: skip
        return self.files_told[file_id]

    def attach_from_elsewhere(self, name: str, content: bytes, media_type: str, base_url: str) -> dict[str, Any]:
        """Upload a file in another organisation (Slack Connect): a message holds its id, `files.info` all the rest."""
        told = self.attach(name, content, media_type, base_url)
        nothing = {"created": 0, "timestamp": 0, "user": ""}
        return {"id": told["id"], "mode": "file_access", "file_access": "check_file_info", **nothing}

    def restore(self, line: Line) -> None:
        """Have a message as it was known before, without telling anybody."""
        kind = "im" if line.channel.startswith("D") else "channel"
        self.open_channel(line.channel, kind).lines[line.ts] = line
        seconds, _, micros = line.ts.partition(".")
        self._last_us = max(self._last_us, int(seconds) * 1_000_000 + int(micros))

    def visible(self, channel: str) -> list[Line]:
        """The bot's messages as everybody sees them, oldest first."""
        lines = self.open_channel(channel).lines.values()
        return sorted((line for line in lines if line.mine and not line.deleted), key=lambda line: line.ts)

    # The bot's side: Web API methods. Each raises SlackRefusal.

    def post(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`chat.postMessage`."""
        channel = self._writable(args)
        thread = args.get("thread_ts") or None
        if thread is not None and thread not in channel.lines:
            raise SlackRefusal("thread_not_found")
        text, blocks = _checked(args, POST_TEXT_MAX)
        line = Line(channel.id, self._stamp(), BOT_USER, text, thread, blocks, args.get("metadata"))
        self._add(line)
        self._tell(line.as_json() | {"channel": channel.id, "channel_type": channel.kind, "event_ts": line.ts})
        return {"channel": channel.id, "ts": line.ts, "message": line.as_json()}

    def update(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`chat.update`. A text without blocks removes the blocks; the metadata stays unless it is given."""
        channel = self._writable(args)
        line = channel.lines.get(args.get("ts", ""))
        if line is None or line.deleted:
            raise SlackRefusal("message_not_found")
        if not line.mine:
            raise SlackRefusal("cant_update_message")
        text, blocks = _checked(args, UPDATE_TEXT_MAX)
        before = line.as_json()
        changed = (line.text, line.blocks) != (text, blocks)
        line.text, line.blocks = text, blocks
        line.metadata = args.get("metadata", line.metadata)
        if changed:
            line.edited_ts = self._stamp()
            self.changed(line)
            self._tell_changed(channel.id, {"message": line.as_json(), "previous_message": before}, "message_changed")
        return {"channel": channel.id, "ts": line.ts, "text": line.text}

    def history(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`conversations.history`: newest first, without what was said in threads only."""
        told = self._channel(args).lines.values()
        lines = [line for line in told if line.thread_ts in {None, line.ts}]
        answer = _page(sorted(lines, key=lambda line: line.ts, reverse=True), args)
        for root in answer["messages"]:
            replies = [line.ts for line in told if line.thread_ts == root["ts"] and not line.deleted]
            if replies:
                root.update(thread_ts=root["ts"], latest_reply=max(replies))
        return answer

    def replies(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`conversations.replies`: the thread's root, and what was said under it, oldest first."""
        root = args.get("ts")
        lines = [line for line in self._channel(args).lines.values() if root in {line.ts, line.thread_ts}]
        if not lines:
            raise SlackRefusal("thread_not_found")
        return _page(sorted(lines, key=lambda line: line.ts), args)

    def user(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`users.info`."""
        name = self.users.get(args.get("user", ""))
        if name is None:
            raise SlackRefusal("user_not_found")
        profile = {"display_name": name, "real_name": name}
        return {"user": {"id": args["user"], "name": name.lower(), "profile": profile}}

    def file(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`files.info`."""
        told = self.files_told.get(args.get("file", ""))
        if told is None:
            raise SlackRefusal("file_not_found")
        return {"file": told | {"file_access": "visible"}}

    def conversations(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`users.conversations`: those that the bot is in, which are all."""
        kinds = {"im": "im", "mpim": "mpim", "channel": "public_channel"}
        wanted = str(args.get("types", "public_channel")).split(",")
        return {"channels": [{"id": each.id} for each in self.channels.values() if kinds[each.kind] in wanted]}

    def identity(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """`auth.test`."""
        return {"user_id": BOT_USER, "bot_id": BOT_ID, "user": BOT_NAME, "team_id": TEAM, "team": "Fake"}

    def _channel(self, args: Mapping[str, Any]) -> Channel:
        found = self.channels.get(args.get("channel", ""))
        if found is None:
            raise SlackRefusal("channel_not_found")
        return found

    def _writable(self, args: Mapping[str, Any]) -> Channel:
        channel = self._channel(args)
        if channel.refuses is not None:
            raise SlackRefusal(channel.refuses)
        return channel

    def _add(self, line: Line) -> None:
        self.restore(line)
        self.changed(line)

    def _stamp(self) -> str:
        """A time later than any before, in whole microseconds."""
        self._last_us = max(int(self._now() * 1_000_000), self._last_us + 1)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def _tell(self, event: dict[str, Any]) -> None:
        self.emit(
            "events_api",
            {"type": "event_callback", "team_id": TEAM, "event_id": f"Ev{next(self._numbers)}", "event": event},
        )

    def _tell_changed(self, channel: str, what: dict[str, Any], subtype: str) -> None:
        kind, ts = self.channels[channel].kind, self._stamp()
        said = {"type": "message", "subtype": subtype, "hidden": True, "channel": channel, "channel_type": kind}
        self._tell(said | {"ts": ts, "event_ts": ts} | what)


def _checked(args: Mapping[str, Any], text_max: int) -> tuple[str, list[dict[str, Any]]]:
    text, blocks = args.get("text") or "", args.get("blocks") or []
    if not text and not blocks:
        raise SlackRefusal("no_text")
    if len(text) > text_max:
        if text_max < POST_TEXT_MAX:
            raise SlackRefusal("msg_too_long")
        text = text[:text_max]
    for block in blocks:
        said = len(block["text"]["text"]) if block["type"] == "section" else 0
        labels = [len(button["text"]["text"]) for button in block.get("elements", ())]
        if said > SECTION_TEXT_MAX or max(labels, default=0) > BUTTON_TEXT_MAX:
            raise SlackRefusal("invalid_blocks")
    return text, list(blocks)


def _page(lines: list[Line], args: Mapping[str, Any]) -> dict[str, Any]:
    oldest, limit = args.get("oldest") or "0", int(args.get("limit") or 100)
    found = [line for line in lines if not line.deleted and line.ts > oldest]
    begin = int(args.get("cursor") or 0)
    page = found[begin : begin + limit]
    more = begin + limit < len(found)
    metadata = str(args.get("include_all_metadata", "")).lower() in {"1", "true"}
    return {
        "messages": [line.as_json(metadata=metadata) for line in page],
        "has_more": more,
        "response_metadata": {"next_cursor": str(begin + limit) if more else ""},
    }
