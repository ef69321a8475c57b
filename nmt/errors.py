"""Errors that a user sees: each message says what is wrong, where, and what to do, in one line."""


class NmtError(Exception):
    """Base of every error that ends a command with one line instead of a traceback.

    Attributes:
        exit_code: status of the process that ends with this error; 2 where the user can fix the cause, 1 where the
            run itself failed.
        is_told: whether another process of the same run has told the user.
    """

    exit_code = 2
    is_told = False


class ConfigError(NmtError):
    """A configuration key or command-line option is unknown, of the wrong type or impossible."""


class CorpusError(NmtError):
    """A corpus is missing, misaligned, empty or not UTF-8."""


class SubwordError(NmtError):
    """A subword model cannot be trained from the given text or read from the given file."""


class BundleError(NmtError):
    """A directory is not a bundle, is damaged, or was written by a newer nmt."""


class RunError(NmtError):
    """The run failed for a reason outside the configuration: disk full, divergence, a dead worker."""

    exit_code = 1


def require(condition: bool, key: str, value: object, allowed: str) -> None:
    """Raise ConfigError unless the value of a configuration key fulfils its condition."""
    if not condition:
        raise ConfigError(f"{key}={value} is not possible: it must be {allowed}")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception of Python, PyTorch or ONNX Runtime says that memory could not be had."""
    # PyTorch's CPU allocator raises a RuntimeError, CUDA's a child of it; ONNX Runtime's exceptions are its own.
    phrases: tuple[str, ...] = ()
    if isinstance(error, RuntimeError):
        phrases = ("can't allocate memory", "not enough memory", "out of memory")
    if type(error).__module__.startswith("onnxruntime"):
        phrases = ("Failed to allocate memory", "bad_alloc", "bad allocation")
    return isinstance(error, MemoryError) or any(each in str(error) for each in phrases)
