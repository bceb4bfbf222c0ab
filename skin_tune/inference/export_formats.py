"""What a model can be exported to."""

from importlib.util import find_spec

from skin_tune.errors import ExportError

FORMATS = ("onnx", "pt2")


def check_format(form: str) -> None:
    """Raise ExportError for a format that is unknown or needs packages that are not installed."""
    if form not in FORMATS:
        raise ExportError(f"--format {form!r} is not one of {', '.join(FORMATS)}")
    missing = [name for name in ("onnxscript", "onnxruntime") if form == "onnx" and find_spec(name) is None]
    if missing:
        raise ExportError(
            f"--format 'onnx' needs {' and '.join(missing)}, not installed here: pip install 'skin-tune[onnx]'"
        )
