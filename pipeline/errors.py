"""The one exception that a user may see: what is wrong, where, and what to do about it."""


class PipelineError(Exception):
    """A failure that a user caused or can mend; the command line prints it without a traceback.

    message: what is wrong and in which file.  remedy: the command or address that mends it.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message
