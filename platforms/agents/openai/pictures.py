"""Images that came with messages, as a model is shown them: by their URL, or as what is in the file.

Only files below the folder of the database are opened: platforms keep there what they fetched.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

from greenroom.actors.model import Attachment, Message
from greenroom.actors.ports import Turn

IMAGES_MAX = 8
"""So many images of a conversation are shown, the last ones; of the others the model is told the names."""

LINKS = ("http://", "https://", "data:image/")


async def addresses_of(turn: Turn, rows: Iterable[Message], folder: Path, bytes_max: int) -> dict[str, str]:
    """Find under which URL each image can be shown."""
    images = [each for row in rows for each in row.attachments if each.media_type.startswith("image/")]
    found: dict[str, str] = {}
    for image in reversed(images):
        if len(found) == IMAGES_MAX:
            break
        url = (
            image.where if image.where.startswith(LINKS) else await turn.in_thread(read_file, image, folder, bytes_max)
        )
        if url is not None:
            found[image.where] = url
    return found


def read_file(image: Attachment, folder: Path, bytes_max: int) -> str | None:
    """Make a data URL of a file. None: it is not below the folder, too large, gone, or no path at all."""
    try:
        path = (folder / image.where).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()) or path.stat().st_size > bytes_max:
            return None
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except (OSError, ValueError):
        return None
    if len(content) > bytes_max:
        return None
    return f"data:{image.media_type};base64,{base64.b64encode(content).decode()}"
