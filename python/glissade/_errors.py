"""Errors: what the library says, as exceptions."""


class GlissadeError(Exception):
    """Whatever the library refuses or fails at; the message is the library's own sentence."""


class BadInputError(GlissadeError, ValueError):
    """An argument, an option or the content of a file is wrong; the sentence names it and says what was expected."""


class UnsupportedError(GlissadeError, ValueError):
    """A question that this problem, method or build cannot answer; the sentence says why."""


class NonfiniteError(GlissadeError, ValueError):
    """A NaN or an infinity was refused."""


class FileError(GlissadeError, OSError):
    """A file cannot be opened, read or written."""


class OutOfMemoryError(GlissadeError, MemoryError):
    """There was no memory."""


class RunInterrupted(GlissadeError, KeyboardInterrupt):
    """The work was interrupted; a run can be resumed."""


class InternalError(GlissadeError, RuntimeError):
    """Message passing failed, or a bug in glissade."""


BY_STATUS: dict[str, type[GlissadeError]] = {
    "ARGUMENT": BadInputError,
    "INPUT": BadInputError,
    "FILE": FileError,
    "MEMORY": OutOfMemoryError,
    "UNSUPPORTED": UnsupportedError,
    "NONFINITE": NonfiniteError,
    "INTERRUPTED": RunInterrupted,
    "CALLBACK": InternalError,
    "COMM": InternalError,
    "INTERNAL": InternalError,
}
