"""What the tables of all records are made of: their values, and how strictly they are read."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Whole = Annotated[int, Field(ge=0, lt=2**64)]
Count = Annotated[int, Field(ge=1, lt=2**64)]
Folds = Annotated[int, Field(ge=2, lt=2**15)]
Number = Annotated[float, Field(ge=0, lt=1e15)]
Share = Annotated[float, Field(ge=0, le=1)]
# More or fewer than without.
Change = Annotated[int, Field(gt=-(2**53), lt=2**53)]


class Record(BaseModel):
    """A table of which at least these keys must be there; those with a default may be missing."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, extra="ignore")


class ExactRecord(Record):
    """A table without any other keys, because its readers name each of them."""

    model_config = ConfigDict(extra="forbid")


class Models(Record):
    """Checksums of what a run predicts with."""

    model: str
    refit: str | None = None


class Environment(Record):
    """The commit, and whether files differed from it; null outside of a clone."""

    commit: str | None = None
    dirty: bool | None = None
