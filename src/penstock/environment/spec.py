"""What every environment of one function version is made from."""

from dataclasses import dataclass
from pathlib import Path

from penstock.environment.faults import FaultPlan
from penstock.environment.memory import CgroupHome, CpuHome
from penstock.model.function import Function
from penstock.runtime_api.bandwidth import Bandwidth
from penstock.telemetry.log_tail import LogTails


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """`task_root`, `opt_root`, `lang_root` and `runtime_root` become /var/task, /opt, /var/lang and /var/runtime; what
    needs no /var/runtime has none. `keep_visible` stays readable besides. Private directories of environments are made
    in `work_root`. `init_timeout` in seconds. Without a `memory_home` for cgroups, memory is counted instead; without a
    `cpu_home` processor time is, and it is not limited. `faults` are shared by the environments. Without a `bandwidth`
    streams are as fast as they can be. `log_tails` follow single requests of any environment.
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
    runtime_root: Path | None = None
    memory_home: CgroupHome | None = None
    cpu_home: CpuHome | None = None
    faults: FaultPlan | None = None
    bandwidth: Bandwidth | None = None
    log_tails: LogTails | None = None
