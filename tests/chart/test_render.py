"""The chart as a whole: its renders, its own suites, its papers."""

import re
from pathlib import Path

import pytest
from tests.chart import readme
from tests.support.render import (
    CHART,
    NAMESPACE,
    VALUES,
    Render,
    find_tool,
    name_of,
    render,
    render_text,
    run,
    run_helm,
)

# By Helm's usual rule: the release's name, and the chart's unless it is in it already.
NAMES = [
    ("mind", "default", "mind-claude-agi"),
    ("claude-agi", "default", "claude-agi"),
    ("my-claude-agi-2", "default", "my-claude-agi-2"),
    ("mind", "names", "mind"),
    ("harbour", "names", "harbour-mind"),
    ("harbour", "full-name", "thinker"),
]


# Helm allows no longer release names, Kubernetes no longer labels.
LONGEST_RELEASE = 53
LONGEST_LABEL = 63
# What templates do, without their comments.
ACTION = re.compile(r"\{\{-?(?!\s*/\*)(.*?)\}\}", re.DOTALL)
INCONSTANT = re.compile(
    r"[({|\s](lookup|now|ago|rand\w+|shuffle|uuidv4|gen[A-Z]\w+|htpasswd|bcrypt"
    r"|derivePassword|encryptAES|getHostByName)\s"
)


def test_two_renders_are_equal(release: Render) -> None:
    """To the byte: nothing random, nothing of the clock."""
    assert render_text(release.release, release.values) == release.text


def test_helm_3_makes_the_same(release: Render) -> None:
    """Of every object; only its order of the file's parts is its own."""
    older = Render(
        release.release,
        release.values,
        render_text(release.release, release.values, program="helm3"),
    )
    assert sorted(map(str, older.objects)) == sorted(map(str, release.objects))


@pytest.mark.parametrize("values", VALUES, ids=lambda file: file.stem)
def test_the_release_may_be_named_as_the_chart(values: Path) -> None:
    """Which makes all names shorter, and nothing else."""
    named = render("claude-agi", values)
    kinds = sorted(each["kind"] for each in named.objects)
    assert kinds == sorted(each["kind"] for each in render("mind", values).objects)
    names = [each["metadata"]["name"] for each in named.objects]
    assert all(each.startswith(named.prefix) for each in names)


@pytest.mark.parametrize(("name", "values", "wanted"), NAMES)
def test_names_follow_the_usual_rule(name: str, values: str, wanted: str) -> None:
    """So the front's Service is called."""
    release = render(name, CHART / "ci" / f"{values}-values.yaml")
    assert release.find("Service", wanted)


def test_a_long_name_is_cut() -> None:
    """So that what is added to it still ends within a label's 63 characters."""
    release = render("m" * LONGEST_RELEASE, CHART / "ci" / "agents-values.yaml")
    added = len("-0123456789")
    names = [each["metadata"]["name"] for each in release.objects]
    assert max(map(len, names)) + added <= LONGEST_LABEL
    assert len(set(map(name_of, release.objects))) == len(names)


def test_templates_are_made_of_values_alone() -> None:
    """No chance, no clock, no key; the cluster is asked only for what messages say."""
    for file in CHART.glob("templates/**/*.*"):
        actions = " ".join(ACTION.findall(file.read_text()))
        calls = set(INCONSTANT.findall(actions))
        may_ask = file.name.startswith(("_validation", "_risks", "NOTES"))
        assert calls <= ({"lookup"} if may_ask else set()), file.name


@pytest.mark.parametrize("values", VALUES, ids=lambda file: file.stem)
def test_helm_finds_nothing_to_complain_of(values: Path) -> None:
    """Strictly."""
    code, output, errors = run_helm("lint", "--strict", CHART, "--values", values)
    assert code == 0, output + errors


def test_its_own_suites_pass() -> None:
    """What `helm unittest` runs beside the chart."""
    code, output, errors = run(find_tool("helm-unittest"), CHART)
    assert code == 0, output + errors
    assert len(list(CHART.glob("tests/*_test.yaml"))) > 0


def test_the_readme_is_current() -> None:
    """`make chart-readme` writes the table of values anew."""
    assert readme.README.read_text() == readme.render()


def test_notes_name_the_next_commands(release: Render) -> None:
    """Which ask a Secret and a Service that are there."""
    code, output, errors = run_helm(
        *("install", release.release, CHART, "--values", release.values),
        *("--namespace", NAMESPACE, "--dry-run=client"),
    )
    assert code == 0, errors
    notes = output.partition("NOTES:")[2]
    (secret,) = re.findall(r"get secret (\S+)", notes)
    own = release.settings["auth"]["existingSecret"]
    assert secret == own or release.find("Secret", secret)
    ((name, port),) = re.findall(r"port-forward svc/(\S+) 8000:(\d+)", notes)
    service = release.find("Service", name)
    assert service
    assert int(port) in {each["port"] for each in service["spec"]["ports"]}
