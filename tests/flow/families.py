"""The people of the flow tests, with names that stand out in a mail or a log."""

from tests.unit.rules.households import PARENT, Row, relation

MUM: dict[str, str] = {"id": "mum", "title": "Ms", "given_name": "Zinnia", "family_name": "Quillfeather"}
DAD: dict[str, str] = {"id": "dad", "title": "Mr", "given_name": "Bartholomew", "family_name": "Vantongeren"}
KID: dict[str, str] = {"id": "kid", "given_name": "Tamsin", "family_name": "Quillfeather"}
SIS: dict[str, str] = {"id": "sis", "given_name": "Odalys", "family_name": "Quillfeather"}
MUM_NUMBER, DAD_NUMBER = "+447700900111", "+447700900222"
HOUSE = "1 Weir Street"
TOGETHER: Row = {"id": "home", "members": ["mum", "dad"]}


def parents(*contacts: str, student: str = "kid", **fields: object) -> list[Row]:
    """Make these contacts natural parents of a student."""
    return [relation(contact, student, **PARENT, **fields) for contact in contacts]
