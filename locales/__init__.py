"""The translations of the fixed sentences: `LANGUAGE/LC_MESSAGES/messages.po`, in Babel's spelling."""

from pathlib import Path

FOLDER = Path(__file__).parent


def catalogue_files() -> dict[str, bytes]:
    """Read every catalogue, by language (`pt`, `zh_Hans`), for `gateway.content.catalogues.Catalogues.from_files`."""
    return {path.parent.parent.name: path.read_bytes() for path in sorted(FOLDER.glob("*/LC_MESSAGES/messages.po"))}
