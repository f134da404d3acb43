"""The Python versions that are promised are the same in all places that name them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys

import pytest

VERSIONS = ["3.11", "3.12", "3.13"]


@pytest.fixture
def setup(project) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(project / "setup.cfg")
    return parser


def test_classifiers_range_and_workflow_name_the_same_versions_of_python(project, setup):
    classifiers = setup["metadata"]["classifiers"]
    assert re.findall(r"Python :: (3\.\d+)", classifiers) == VERSIONS
    assert setup["options"]["python_requires"] == ">=3.11,<3.14"
    workflow = project / ".github/workflows/test.yml"
    if workflow.exists():  # a source distribution has none
        (matrix,) = re.findall(r"python: \[(.*)\]", workflow.read_text())
        assert re.findall(r"[\d.]+", matrix) == VERSIONS


def test_the_version_is_that_of_the_tag(project, tmp_path):
    pytest.importorskip("setuptools_scm")
    shutil.copy(project / "pyproject.toml", tmp_path)

    def version() -> str:
        command = [sys.executable, "-m", "setuptools_scm"]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert version() == "0.1.0"  # a copy without a history
    if shutil.which("git") is None:
        pytest.skip("needs git")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in ("init -q", "add .", "commit -qm first", "tag v1.2.3"):
        subprocess.run([*git, *command.split()], cwd=tmp_path, check=True)
    assert version() == "1.2.3"


def test_scripts_take_the_versions_that_are_promised_and_no_other(project, tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    for version, fits in [("3.10", False), ("3.14", False), *((v, True) for v in VERSIONS)]:
        # The script asks an interpreter for its version.
        major, minor = version.split(".")
        fake = tmp_path / f"python{version}"
        fake.write_text(
            f'#!{bash}\nexec python3 -c "import sys; sys.version_info = ({major}, {minor}); '
            'exec(sys.argv[1])" "$2"\n'
        )
        fake.chmod(0o755)
        script = f"source {project}/scripts/environment.sh; find_python"
        done = subprocess.run(
            [bash, "-c", script],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin:" + str(shutil.which("python3")).rpartition("/")[0]}
            | {"PYTHON": str(fake)},
        )
        assert (done.returncode == 0) == fits, (version, done.stderr)
        assert fits or f"Received: PYTHON={fake}" in done.stderr
