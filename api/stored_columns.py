"""How a line about stored columns is written: by table, by class of data, in the clear, sealed or hashed."""

from api.data_protection import Basis, DataClass, Declaration, Form, Group, Retention, Seen

PERSONAL, PSEUDONYM, LOCATION = DataClass.PERSONAL, DataClass.PSEUDONYM, DataClass.LOCATION
FINDING, LEGAL, ACCOUNT, SECRET = DataClass.FINDING, DataClass.LEGAL, DataClass.ACCOUNT, DataClass.SECRET
AUDIT, PLACE, TECHNICAL = DataClass.AUDIT, DataClass.PLACE, DataClass.TECHNICAL


def clear(data_class: DataClass, columns: str) -> Group:
    """Columns, named with blanks between, stored as they are."""
    return Group(data_class=data_class, form=Form.CLEAR, columns=tuple(columns.split()))


def sealed(data_class: DataClass, columns: str) -> Group:
    """Columns that are encrypted."""
    return Group(data_class=data_class, form=Form.SEALED, columns=tuple(columns.split()))


def hashed(data_class: DataClass, columns: str) -> Group:
    """Columns of which a hash is kept."""
    return Group(data_class=data_class, form=Form.HASHED, columns=tuple(columns.split()))


def table(name: str, purpose: str, basis: Basis, retention: Retention, seen: Seen, *groups: Group) -> Declaration:
    """All columns of a table."""
    return Declaration(table=name, purpose=purpose, basis=basis, retention=retention, seen=seen, groups=groups)
