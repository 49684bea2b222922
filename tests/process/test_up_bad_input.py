"""Bad input to `penstock`: exit code 2 and one line that says what, where and what is allowed. Never a traceback."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from support.projects import Project, Shape, make_project
from support.up import command, shared_cache


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_cache(tmp_path_factory)


def put(name: str, text: str) -> Callable[[Project], object]:
    return lambda project: (project.folder / name).write_text(text)


def change(old: str, new: str) -> Callable[[Project], object]:
    """In the template."""

    def apply(project: Project) -> None:
        text = project.template.read_text()
        assert old in text
        project.template.write_text(text.replace(old, new))

    return apply


def nothing(project: Project) -> None:
    pass


class Case(NamedTuple):
    """`told` must be all of the line after `penstock: `; `{line:TEXT}` is the place of TEXT in the template."""

    words: tuple[str, ...]
    told: str
    spoil: Callable[[Project], object] = nothing
    shape: Shape = Shape()


UNKNOWN_LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:mine:1"
A_FAULT = (
    "is not a fault: a fault is WHAT@WHEN, with WHAT kill-runtime, kill-extension, kill-extension=NAME, stall-worker, "
    "fill-tmp or drop-log-subscriber, and WHEN init, ready, request=N or seconds=S; stall-worker only at request=N"
)
CASES = {
    "no such fault": Case(("up", "--fault", "explode@ready"), f"--fault: 'explode@ready' {A_FAULT}"),
    "no template": Case(("up", "nope.yaml"), "no template at nope.yaml"),
    "no template in the folder": Case(
        ("up", "app"),
        "no template.yaml or template.yml or template.json in {folder}/app; name the template: penstock up PATH",
    ),
    "two templates": Case(("up", "a", "b"), "one template at a time: a and b were given"),
    "broken YAML": Case(
        ("up",), "{folder}/template.yaml:3: not valid YAML: ", put("template.yaml", "Resources:\n  App: [1\n")
    ),
    "binary": Case(
        ("up",),
        "{folder}/template.yaml: not a template: the file is not UTF-8 text",
        lambda project: project.template.write_bytes(b"\xff\xfe\x00"),
    ),
    "empty": Case(
        ("up",),
        "{folder}/template.yaml: not a template: it must be a map with a Resources section",
        put("template.yaml", ""),
    ),
    "unknown property": Case(
        ("up",), "{line:Memory: 2048}: App: unknown property Memory", change("MemorySize: 2048", "Memory: 2048")
    ),
    "bad value": Case(
        ("up",),
        "{line:Timeout: soon}: App: Timeout: bad value 'soon'; allowed: 1 to 900",
        change("Timeout: 30", "Timeout: soon"),
    ),
    "missing code": Case(
        ("up",), "{line:CodeUri: none/}: App: CodeUri names none/", change("CodeUri: app/", "CodeUri: none/")
    ),
    "missing parameter": Case(
        ("up",), "{line:Stage:}: parameter Stage: ", change("Parameters:", "Parameters:\n  Stage: {Type: String}")
    ),
    "unknown parameter": Case(
        ("up", "--parameter-overrides", "Stge=prod"),
        "{line:Parameters:}: --parameter-overrides: the template has no parameter Stge",
    ),
    "no KEY=VALUE": Case(("up", "--parameter-overrides", "Stage"), "--parameter-overrides: 'Stage' is not KEY=VALUE"),
    "unknown layer": Case(
        ("up", "--port", "0"),
        "{line:Layers:}: App: the content of layer "
        + UNKNOWN_LAYER
        + " is not on this machine; give it with --layer "
        + UNKNOWN_LAYER
        + "=PATH (a directory or a zip archive)",
        shape=Shape(layers=(UNKNOWN_LAYER,)),
    ),
    "layer without PATH": Case(("up", "--layer", "arn:x"), "--layer: 'arn:x' is not ARN=PATH"),
    "layer that is not there": Case(("up", "--layer", "arn:x=/no/such"), "--layer: /no/such does not exist"),
    "no env-vars file": Case(("up", "--env-vars", "no.json"), "no.json: --env-vars: No such file or directory"),
    "env-vars not JSON": Case(
        ("up", "--env-vars", "env.json"), "env.json:2: --env-vars: not JSON: ", put("env.json", '{\n"App": }')
    ),
    "env-vars of another shape": Case(
        ("up", "--env-vars", "env.json"),
        'env.json: --env-vars: expected an object of objects, like {"MyFunction": {"NAME": "value"}}',
        put("env.json", '["App"]'),
    ),
    "broken requirements": Case(
        ("up", "--port", "0"),
        "{folder}/app/requirements.txt: cannot install the requirements of App: ",
        put("app/requirements.txt", "no such thing !!\n"),
    ),
    "no key file": Case(
        ("up", "--port", "0", "--keys", "keys"), "keys: there is no such key file", shape=Shape(auth="AWS_IAM")
    ),
    "keys without a secret": Case(
        ("up", "--port", "0", "--aws-port", "0", "--keys", "keys"),
        "keys:2: [me]: has no aws_secret_access_key",
        put("keys", "\n[me]\naws_access_key_id = AKIA\n"),
    ),
    "no URL": Case(
        ("up",),
        "no function of this template has a FunctionUrlConfig; --aws-port serves them to AWS clients",
        shape=Shape(with_url=False),
    ),
    "AWS port too high": Case(
        ("up", "--aws-port", "70000"), "Invalid value for '--aws-port': Input should be less than or equal to 65535"
    ),
    "AWS port that cannot be": Case(
        ("up", "--port", "0", "--aws-port", "4566", "--host", "192.0.2.1"), "cannot serve App at 192.0.2.1 port 0: "
    ),
    "negative delay": Case(("up", "--async-retry-delay", "-1"), "Invalid value for '--async-retry-delay': "),
    "port too high": Case(
        ("up", "--port", "70000"), "Invalid value for '--port': Input should be less than or equal to 65535"
    ),
    "port no number": Case(("up", "--port", "http"), "Invalid value for '--port': "),
    "no such address": Case(("up", "--host", "192.0.2.1"), "cannot serve App at 192.0.2.1 port 3000: "),
    "no such host": Case(
        ("up", "--host", "no-such-host.invalid"), "cannot serve App at no-such-host.invalid port 3000: "
    ),
    "no environments": Case(("up", "--min-environments", "0"), "Invalid value for '--min-environments': "),
    "unknown network": Case(("up", "--network", "bridge"), "Invalid value for '--network': "),
    "unknown flag": Case(("up", "--prot", "1"), "No such option: --prot"),
    "unknown command": Case(("down",), "No such command 'down'."),
    "flag without value": Case(("up", "--port"), "Option '--port' requires an argument."),
    "no logs": Case(("logs",), "no logs yet in {folder}/.penstock: start the template with `penstock up` first"),
}


def fill(told: str, project: Project) -> str:
    before, brace, rest = told.partition("{line:")
    if brace:
        text, _, after = rest.partition("}")
        lines = project.template.read_text().splitlines()
        number = 1 + next(at for at, line in enumerate(lines) if line.strip().startswith(text))
        told = f"{before}{{folder}}/template.yaml:{number}{after}"
    return told.replace("{folder}", str(project.folder))


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str, tmp_path: Path, cache: Path) -> None:
    case = CASES[name]
    project = make_project(tmp_path / "site", case.shape)
    case.spoil(project)
    ended = command(project, cache, *case.words)
    assert ended.returncode == 2, ended
    assert ended.stderr.startswith(f"penstock: {fill(case.told, project)}")
    assert ended.stderr.endswith("\n")
    assert ended.stderr.count("\n") == 1
    assert project.work_folders() == []


def test_a_port_in_use(tmp_path: Path, cache: Path) -> None:
    """Told before anything is installed."""
    project = make_project(tmp_path / "site")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = command(project, cache, "up", "--port", str(port), "--json")
    assert ended.returncode == 2
    assert ended.stderr == (
        f"penstock: cannot serve App at 127.0.0.1 port {port}: Address already in use; "
        "--port takes another one, 0 picks free ones\n"
    )
    assert ended.stdout == ""
