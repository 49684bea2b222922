"""What every environment of one function version is made from."""

from dataclasses import dataclass
from pathlib import Path

from penstock.model.function import Function


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """`task_root`, `opt_root` and `lang_root` become /var/task, /opt and /var/lang; `keep_visible` stays readable
    besides. Private directories of environments are made in `work_root`. `init_timeout` in seconds.
    """

    function: Function
    region: str
    account_id: str
    task_root: Path
    opt_root: Path
    lang_root: Path
    keep_visible: tuple[Path, ...]
    work_root: Path
    isolated_network: bool
    namespaces: bool
    init_timeout: float
